"""Every attack that was tried, and that the right thing happens now."""
