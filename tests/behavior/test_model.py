"""Any sequence of operations, compared with a dictionary after each."""

import asyncio

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from entrepot import NotFound, Operator
from entrepot.services import Fs, Memory
from tests.behavior.lacking import LACKING
from tests.behavior.model import Model
from tests.conftest import s3_config

FILES = ("a", "b/c", "b/d/e", "b/d f", "ab", "x/ y+%2F", "x/é")
DIRECTORIES = ("b/", "b/d/", "b/q/", "x/")
PREFIXES = ("/", "b", "a", "x/", "b/d", "nothing", "nothing/")
KEYS = ("b", "b/d", "x", "q//r", "q/./r", "../a", "b/d/")
CONTENTS = st.binary(max_size=20)


class Machine(RuleBasedStateMachine):
    """One storage, and its model. Subclasses say where it is and which names are tried."""

    make_config = None
    extra = ()
    has_markers = True  # of directories; without them no directory is made, and those that are listed do not count

    def __init__(self):
        super().__init__()
        self.runner = asyncio.Runner()
        self.operator = Operator(type(self).make_config())
        self.capability = self.operator.info.capability
        self.model = Model(is_flat=not self.operator.info.native_capability.create_dir)

    def call(self, coroutine):
        return self.runner.run(coroutine)

    def file(self, data):
        return data.draw(st.sampled_from([*FILES, *(key for key in self.extra if not key.endswith("/"))]))

    def directory(self, data):
        return data.draw(st.sampled_from([*DIRECTORIES, *(key for key in self.extra if key.endswith("/"))]))

    @rule(data=st.data(), content=CONTENTS)
    def write(self, data, content):
        path = self.file(data)
        self.call(self.operator.write(path, content))
        self.model.write(path, content)

    @precondition(lambda self: self.capability.write_with_append)
    @rule(data=st.data(), content=CONTENTS)
    def append(self, data, content):
        path = self.file(data)
        self.call(self.operator.write(path, content, append=True))
        self.model.append(path, content)

    @precondition(lambda self: self.has_markers)
    @rule(data=st.data())
    def create_dir(self, data):
        path = self.directory(data)
        self.call(self.operator.create_dir(path))
        self.model.create_dir(path)

    @rule(data=st.data())
    def delete(self, data):
        path = self.file(data)
        self.call(self.operator.delete(path))
        self.model.delete(path)

    @precondition(lambda self: self.has_markers)
    @rule(data=st.data())
    def delete_directory(self, data):
        path = self.directory(data)
        if not self.model.contents(path):
            self.call(self.operator.delete(path))
            self.model.delete(path)

    @rule(data=st.data())
    def delete_recursively(self, data):
        path = data.draw(st.sampled_from([*DIRECTORIES, "b", "x", "a", "a/", "nothing"]))
        self.call(self.operator.delete(path, recursive=True))
        self.model.delete_recursively(path)

    @precondition(lambda self: self.capability.copy)
    @rule(data=st.data())
    def copy(self, data):
        self.move(data, self.operator.copy, self.model.copy)

    @precondition(lambda self: self.capability.rename)
    @rule(data=st.data())
    def rename(self, data):
        self.move(data, self.operator.rename, self.model.rename)

    def move(self, data, call, rule_of_model):
        source, target = self.file(data), self.file(data)
        if source == target:
            return
        if source in self.model.files:
            self.call(call(source, target))
            rule_of_model(source, target)
        else:
            with pytest.raises(NotFound):
                self.call(call(source, target))

    @rule(data=st.data())
    def read(self, data):
        path = self.file(data)
        if path in self.model.files:
            assert self.call(self.operator.read(path)) == self.model.files[path]
        else:
            with pytest.raises(NotFound):
                self.call(self.operator.read(path))

    @rule(data=st.data())
    def stat(self, data):
        file, directory = self.file(data), self.directory(data)
        assert self.call(self.operator.exists(file)) == (file in self.model.files or self.is_directory_there(file))
        if self.has_markers:
            assert self.call(self.operator.exists(directory)) == self.model.is_directory(directory)

    def is_directory_there(self, path):
        """A directory without its slash is found where directories are not only names."""
        return not self.model.is_flat and self.model.is_directory(f"{path}/")

    @rule(data=st.data(), recursive=st.booleans(), limit=st.none() | st.integers(1, 3))
    def list(self, data, recursive, limit):
        path = data.draw(st.sampled_from([*PREFIXES, *DIRECTORIES]))
        entries = self.call(self.operator.list(path, recursive=recursive, limit=limit))
        paths = [entry.path for entry in entries]
        expected = self.model.listing(path, recursive=recursive)
        if not self.has_markers:
            paths = [name for name in paths if name in expected or not name.endswith("/")]
        assert sorted(paths) == sorted(expected), f"list({path!r}, {recursive=})"

    @invariant()
    def holds_what_the_model_holds(self):
        entries = self.call(self.operator.list("/", recursive=True))
        lengths = {entry.path: entry.metadata.content_length for entry in entries if entry.metadata.is_file}
        assert lengths == {path: len(content) for path, content in self.model.files.items()}
        assert {entry.path for entry in entries if entry.metadata.is_dir} == {"/", *self.model.directories}

    def teardown(self):
        self.call(self.has_all_contents())
        self.call(self.operator.close())
        self.runner.close()

    async def has_all_contents(self):
        for path, content in self.model.files.items():
            assert await self.operator.read(path) == content


def run_model(make_config, examples, *, is_remote=False, **traits):
    """Tries a number of sequences. A failing one is made smaller, but not over a server, where that takes minutes."""
    machine = type("ModelTest", (Machine,), {"make_config": staticmethod(make_config), **traits})
    budget = settings(
        max_examples=examples,
        stateful_step_count=25,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        phases=[Phase.explicit, Phase.generate] if is_remote else [*Phase],
    )
    run_state_machine_as_test(machine, settings=budget)


@pytest.mark.parametrize("versioned", [False, True])
def test_memory_does_what_the_model_does(versioned):
    run_model(lambda: Memory(versioned=versioned), 100, extra=KEYS)


def test_fs_does_what_the_model_does(tmp_path_factory):
    run_model(lambda: Fs(tmp_path_factory.mktemp("model")), 80)


def test_s3_does_what_the_model_does_on_seaweedfs(seaweedfs_server):
    """Only about files: its faults with directories are in the table of what it lacks."""
    assert "create_dir.directory_outlives_its_contents" in LACKING["seaweedfs"]
    assert "delete.directories_that_nobody_made_go_with_their_contents" in LACKING["seaweedfs"]
    run_model(lambda: s3_config(seaweedfs_server), 15, is_remote=True, has_markers=False)


def test_s3_does_what_the_model_does_on_moto(moto_server):
    run_model(lambda: s3_config(moto_server), 15, is_remote=True, extra=KEYS)
