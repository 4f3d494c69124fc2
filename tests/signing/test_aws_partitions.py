"""The partitions of AWS, beside those of botocore."""

import json
from pathlib import Path

import botocore

from entrepot.signing.aws_partitions import PARTITIONS, partition_of

THEIRS = json.loads((Path(botocore.__file__).parent / "data" / "partitions.json").read_bytes())["partitions"]


def test_partitions_are_those_of_botocore() -> None:
    ours = {one.name: (one.suffix, one.dual_stack_suffix) for one in PARTITIONS}
    outputs = {entry["id"]: entry["outputs"] for entry in THEIRS}
    assert ours == {name: (one["dnsSuffix"], one["dualStackDnsSuffix"]) for name, one in outputs.items()}


def test_regions_belong_to_the_partition_that_botocore_says() -> None:
    for entry in THEIRS:
        regions = [region for region in entry["regions"] if "global" not in region]
        assert regions
        assert {partition_of(region).name for region in regions} == {entry["id"]}


def test_a_region_of_unknown_form_is_of_the_commercial_partition() -> None:
    assert partition_of("auto").name == "aws"
