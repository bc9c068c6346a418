"""What must hold below every layer, and what is known of each."""

from __future__ import annotations

import pytest

from servers import layers
from servers.layers import LAYERS, Found, Layer
from test_docs import rows

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def measured() -> dict[str, Found]:
    return layers.measure_all(LAYERS)


@pytest.fixture(params=LAYERS, ids=lambda layer: layer.name)
def layer(request: pytest.FixtureRequest) -> Layer:
    asked: Layer = request.param
    if asked.missing:
        pytest.skip(f"skipped: needs {asked.missing}")
    return asked


@pytest.fixture
def found(layer: Layer, measured: dict[str, Found]) -> Found:
    return measured[layer.name]


def test_a_download_arrives_complete(found: Found) -> None:
    assert layers.is_whole(found.whole)


def test_a_compressed_download_is_decoded_to_the_same(found: Found) -> None:
    assert found.compressed.code == 0
    assert found.compressed.body == found.whole.body


def test_a_late_failure_is_noticed_where_the_layer_allows_it(layer: Layer, found: Found) -> None:
    assert found.streamed.code in ((0, 18) if layer.hides else (18,))


def test_with_auto_a_failure_never_passes_for_a_whole_document(layer: Layer, found: Found) -> None:
    assert layers.shown(found.auto) == layer.auto


def test_no_layer_is_worse_than_the_table(layer: Layer, found: Found) -> None:
    told = {row["layer"]: list(row.values()) for row in rows("servers.md", "layer")}
    assert layers.row(layer, found) == told[layer.name]
