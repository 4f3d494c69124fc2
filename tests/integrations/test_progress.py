"""Progress bars show what a transfer has done."""

import io

from rich.console import Console
from rich.progress import Progress as RichProgress
from tqdm import tqdm

from entrepot import Operator
from entrepot.integrations.progress import on_rich, on_tqdm
from entrepot.services import Memory

FILES = {"a/1": bytes(10), "a/2": bytes(2000), "a/[b]": b""}


async def filled() -> Operator:
    op = Operator(Memory())
    for path, content in FILES.items():
        await op.write(path, content)
    return op


async def test_a_bar_of_tqdm_ends_at_the_size_of_the_tree(tmp_path):
    op = await filled()
    with tqdm(total=(await op.du()).size, unit="B", unit_scale=True, file=io.StringIO()) as bar:
        await op.download_tree("/", tmp_path, progress=on_tqdm(bar))
        assert bar.n == bar.total == 2010


async def test_a_task_of_rich_ends_at_the_size_of_the_file(tmp_path):
    with RichProgress(console=Console(file=io.StringIO())) as display:
        task = display.add_task("download", total=2000)
        await (await filled()).download("a/2", tmp_path / "file", progress=on_rich(display, task))
        assert display.finished
        assert (display.tasks[0].completed, display.tasks[0].description) == (2000, "a/2")
