"""Whatever a walk does for what others move and delete is a step: whoever counts them can end it."""

from pathlib import Path

from manager.folder.walk import Walk

DEPTH = 50


def test_each_name_that_is_gone_when_it_is_looked_at_is_a_step(tmp_path: Path) -> None:
    for number in range(10):
        (tmp_path / str(number)).touch()
    walk = Walk(tmp_path)
    steps = walk.steps()
    assert [next(steps), next(steps)]
    for path in tmp_path.iterdir():
        path.unlink()
    assert len([step for step in steps if step is None]) >= 9
    walk.close()


def test_each_folder_by_which_the_way_is_found_back_is_a_step(tmp_path: Path) -> None:
    place, elsewhere = tmp_path / "place", tmp_path / "elsewhere"
    deepest = place.joinpath(*"d" * DEPTH)
    deepest.mkdir(parents=True)
    walk = Walk(place)
    steps = walk.steps()
    entered = 0
    while entered < DEPTH:
        entered += next(steps) is None
    deepest.rename(elsewhere)
    assert len(list(steps)) >= 2 * (DEPTH - 1), "there again from the top, and back"
    walk.close()
