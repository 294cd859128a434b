"""Side-by-side measurements: what we cost beside what people would use instead, in the same run."""
