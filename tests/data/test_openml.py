"""Downloading, keeping and damage, against a server on this machine that speaks OpenML's format."""

import gzip
import hashlib
import http.server
import io
import json
import threading
import urllib.request
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import rich.console
import torch
from sklearn.datasets import _openml

from optbench.checks import UsageError
from optbench.data import DATASETS, kept, openml
from optbench.data.openml import SOURCES
from optbench.data.splits import split, split_indices

NUMBER = np.random.default_rng(0)


@dataclass
class Table:
    """A data set as OpenML has it: columns, of which the last is the label."""

    names: list[str]
    nominal: dict[str, list[str]]
    rows: list[list[object]]

    @property
    def arff(self) -> bytes:
        kinds = [f"{{{','.join(self.nominal[n])}}}" if n in self.nominal else "NUMERIC" for n in self.names]
        head = [f"@ATTRIBUTE {n} {k}" for n, k in zip(self.names, kinds, strict=True)]
        rows = [",".join(map(str, row)) for row in self.rows]
        return "\n".join(["@RELATION table", *head, "@DATA", *rows, ""]).encode()


@dataclass
class Server:
    """What it serves by path, what was asked for, and how it misbehaves."""

    tables: dict[int, Table] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    port: int = 0
    damaged: bool = False
    cut: bool = False

    def answer(self, path: str) -> bytes | None:
        number = int(path.rpartition("/")[2])
        table = self.tables.get(number)
        if table is None:
            return None
        if "/features/" in path:
            return json.dumps({"data_features": {"feature": self.features(table)}}).encode()
        if "/qualities/" in path:
            return json.dumps({"data_qualities": {"quality": []}}).encode()
        if "/download/" in path:
            return table.arff + (b"1" if self.damaged else b"")
        description = {
            "id": str(number),
            "name": "table",
            "description": "made for this test",
            "version": "1",
            "format": "ARFF",
            "status": "active",
            "file_id": str(number),
            "url": f"https://api.openml.org/data/v1/download/{number}",
            "default_target_attribute": table.names[-1],
            "md5_checksum": hashlib.md5(table.arff).hexdigest(),
        }
        return json.dumps({"data_set_description": description}).encode()

    @staticmethod
    def features(table: Table) -> list[dict[str, object]]:
        return [
            {
                "index": str(i),
                "name": name,
                "data_type": "nominal" if name in table.nominal else "numeric",
                "is_target": str(i == len(table.names) - 1).lower(),
                "is_ignore": "false",
                "is_row_identifier": "false",
                "number_of_missing_values": "0",
                **({"nominal_value": table.nominal[name]} if name in table.nominal else {}),
            }
            for i, name in enumerate(table.names)
        ]


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server in the place of OpenML, an empty folder for data sets, and no data set in memory."""
    state = Server()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            state.asked.append(self.path)
            body = state.answer(self.path)
            self.send_response(412 if body is None else 200)
            packed = gzip.compress(body or b"")
            self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(packed)))
            self.end_headers()
            self.wfile.write(packed[: len(packed) // 2] if state.cut and "download" in self.path else packed)

        def log_message(self, *words):
            pass

    def redirected(request, *words, **more):
        path = request.full_url.split("openml.org", 1)[1]
        local = urllib.request.Request(f"http://127.0.0.1:{state.port}{path}", headers=dict(request.headers))
        return urllib.request.urlopen(local, *words, **more)

    monkeypatch.setattr(_openml, "urlopen", redirected)
    monkeypatch.setattr(_openml.time, "sleep", lambda seconds: None)
    monkeypatch.setenv("OPTBENCH_DATA", str(tmp_path / "kept"))
    for name in SOURCES:
        DATASETS[name].cache_clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        state.port = running.server_port
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        running.shutdown()
        thread.join()
    for name in SOURCES:
        DATASETS[name].cache_clear()


def pixels(samples, columns, labels):
    """A table of grey levels 0 … 255 with these labels, in turn."""
    names = [f"pixel{i}" for i in range(columns)] + ["class"]
    rows = [[*NUMBER.integers(0, 256, columns).tolist(), labels[i % len(labels)]] for i in range(samples)]
    return Table(names, {"class": sorted(set(labels), key=int)}, rows)


@pytest.fixture
def mnist(server, monkeypatch):
    """A data set in the format of MNIST, of 60 images of 2 × 3; the last 20 are the published test part."""
    small = replace(SOURCES["mnist"], samples=60, shape=(1, 2, 3), test_labels=(2,) * 10)
    monkeypatch.setitem(SOURCES, "mnist", small)
    server.tables[554] = pixels(60, 6, [str(i) for i in range(10)])
    return server.tables[554]


def loaded(name="mnist"):
    """As a new process would load it."""
    DATASETS[name].cache_clear()
    return DATASETS[name]()


def refusal(name="mnist"):
    with pytest.raises(UsageError) as caught:
        loaded(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_images_and_labels_come_as_they_are_served(server, mnist):
    data = loaded()
    assert (data.name, data.classes, data.image, data.held_out) == ("mnist", 10, True, 20)
    assert data.x.dtype == torch.uint8
    assert data.x.shape == (60, 1, 2, 3)
    assert data.x.flatten(1).tolist() == [row[:-1] for row in mnist.rows]
    assert data.y.tolist() == [int(row[-1]) for row in mnist.rows]


def test_the_published_test_part_is_the_test_part(server, mnist):
    train, validation, test = split_indices(loaded(), 0)
    assert test.tolist() == list(range(40, 60))
    assert (len(train), len(validation)) == (33, 7)  # 5 : 1
    part = split(loaded(), 0, torch.float32, torch.device("cpu")).train
    assert part.x.mean().item() == pytest.approx(0, abs=1e-6)
    assert part.x.std(correction=0).item() == pytest.approx(1, rel=1e-6)


def test_rows_in_another_order_have_no_published_test_part(server, mnist):
    mnist.rows[0][-1], mnist.rows[-1][-1] = "9", "0"
    assert loaded().held_out == 0


def test_a_data_set_is_downloaded_once_and_said_so(server, mnist, tmp_path, capfd):
    first = loaded()
    asked = len(server.asked)
    said = capfd.readouterr()
    again = loaded()
    assert torch.equal(first.x, again.x)
    assert torch.equal(first.y, again.y)
    assert len(server.asked) == asked
    assert said.err.splitlines() == [f"optbench: downloading mnist from OpenML, once, into {tmp_path / 'kept'}"]
    assert said.out == ""
    assert capfd.readouterr().err == ""


def test_a_checksum_that_sha256sum_reads_lies_beside_the_file_and_nothing_else_is_left(server, mnist, tmp_path):
    loaded()
    files = {path.name for path in (tmp_path / "kept").iterdir()}
    assert files == {"mnist.npz", "mnist.npz.sha256", "mnist.lock"}
    digest = hashlib.sha256((tmp_path / "kept/mnist.npz").read_bytes()).hexdigest()
    assert (tmp_path / "kept/mnist.npz.sha256").read_text() == f"{digest}  mnist.npz\n"


def test_pixels_are_kept_in_one_byte_each(server, mnist, tmp_path):
    loaded()
    with np.load(tmp_path / "kept/mnist.npz") as arrays:
        assert arrays["x"].nbytes == 60 * 6
        assert arrays["y"].nbytes == 60


def test_a_damaged_copy_is_refused_by_name_and_downloaded_again_once_deleted(server, mnist, tmp_path):
    expected = loaded()
    path = tmp_path / "kept/mnist.npz"
    content = bytearray(path.read_bytes())
    content[200] ^= 1
    path.write_bytes(content)
    assert refusal() == f"{path} is damaged, it does not match its checksum; delete it, and it is downloaded again"
    path.unlink()
    assert torch.equal(loaded().x, expected.x)


def test_an_empty_checksum_is_damage(server, mnist, tmp_path):
    loaded()
    (tmp_path / "kept/mnist.npz.sha256").write_text("")
    assert "mnist.npz cannot be read" in refusal()


def test_a_copy_without_its_checksum_does_not_count(server, mnist, tmp_path):
    loaded()
    asked = len(server.asked)
    (tmp_path / "kept/mnist.npz.sha256").unlink()
    loaded()
    assert len(server.asked) == 2 * asked


def test_offline_one_line_names_the_embedded_stand_in_and_nothing_is_left(server, mnist, tmp_path):
    server.port = 9  # discard: nothing listens there
    said = refusal()
    assert said.startswith("mnist (OpenML data set 554) cannot be downloaded (")
    assert said.endswith("refused); connect once, or use digits, which needs no connection")
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"mnist.lock"}


def test_offline_the_kept_copy_serves(server, mnist):
    expected = loaded()
    server.port = 9
    assert torch.equal(loaded().x, expected.x)


def test_a_download_that_breaks_off_leaves_nothing_and_may_be_tried_again(server, mnist, tmp_path):
    server.cut = True
    assert refusal() == (
        "mnist (OpenML data set 554) came damaged (Compressed file ended before the end-of-stream marker was reached); "
        "try again, or use digits"
    )
    assert {path.name for path in (tmp_path / "kept").iterdir()} == {"mnist.lock"}
    server.cut = False
    assert len(loaded()) == 60


def test_a_download_that_does_not_match_openmls_own_checksum_is_refused(server, mnist):
    server.damaged = True
    assert "mnist (OpenML data set 554) came damaged (The md5 checksum" in refusal()


def test_a_data_set_that_openml_does_not_have_is_refused(server, mnist):
    server.tables.clear()
    assert "Dataset with data_id 554 not found" in refusal()


def test_another_number_of_rows_is_refused(server, mnist):
    mnist.rows.pop()
    assert "came with 59 rows of 6 numbers, expected 60 of 6" in refusal()


@pytest.mark.parametrize("value", ["0.5", "256", "-1", "?"])
def test_numbers_that_are_no_pixels_are_refused(server, mnist, value):
    mnist.rows[3][2] = value
    assert "is not as expected: column 2 does not hold whole numbers of type uint8; use digits" in refusal()


def test_a_label_that_is_no_number_is_refused(server, mnist):
    mnist.rows[3][-1] = "?"
    assert "is not as expected: the label does not hold whole numbers" in refusal()


def test_a_missing_class_is_refused(server, mnist):
    mnist.rows = [[*row[:-1], "0" if row[-1] == "9" else row[-1]] for row in mnist.rows]
    assert "is not as expected: it has 9 different labels, expected 10; use digits" in refusal()


def test_colours_of_svhn_come_channels_last_and_its_label_10_is_the_digit_0(server, monkeypatch):
    monkeypatch.setitem(SOURCES, "svhn", replace(SOURCES["svhn"], samples=40, shape=(3, 2, 2), test_labels=(1,) * 10))
    table = server.tables[41081] = pixels(40, 12, [str(i) for i in range(1, 11)])
    data = loaded("svhn")
    assert data.x[7, :, 0, 1].tolist() == table.rows[7][3:6]  # the second pixel of the first row: red, green, blue
    assert data.y[:10].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert data.held_out == 10


def test_covertype_has_numbers_below_zero_and_nominal_columns(server, monkeypatch):
    monkeypatch.setitem(SOURCES, "covertype", replace(SOURCES["covertype"], samples=70, shape=(3,)))
    rows = [[7000 - 100 * i, 50 - i, str(i % 2), str(1 + i % 7)] for i in range(70)]
    labels = [str(i) for i in range(1, 8)]
    server.tables[1596] = Table(["height", "water", "soil", "class"], {"soil": ["0", "1"], "class": labels}, rows)
    data = loaded("covertype")
    assert data.x.tolist() == [[int(value) for value in row[:3]] for row in rows]
    assert data.x.dtype == torch.int16
    assert data.y.tolist() == [i % 7 for i in range(70)]
    assert not data.image
    train = split(data, 0, torch.float64, torch.device("cpu")).train.x
    assert train.mean(dim=0).tolist() == pytest.approx([0, 0, 0], abs=1e-12)


def test_two_processes_that_want_it_at_once_download_it_once(server, mnist):
    found = []
    threads = [threading.Thread(target=lambda: found.append(openml._load("mnist"))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3
    assert sum("download" in path for path in server.asked) == 1
    assert torch.equal(found[0].x, found[2].x)


def test_a_folder_that_cannot_be_made_is_named(server, mnist, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("OPTBENCH_DATA", str(tmp_path / "file/inside"))
    assert (
        refusal()
        == f"the folder for data sets {tmp_path / 'file/inside'} cannot be made (Not a directory); set OPTBENCH_DATA"
    )


def test_a_folder_that_cannot_be_written_to_is_named(server, mnist, tmp_path):
    (tmp_path / "kept/mnist.lock").mkdir(parents=True)
    path = tmp_path / "kept/mnist.npz"
    assert refusal() == f"{path} cannot be written (Is a directory); set OPTBENCH_DATA to another folder"
    assert server.asked == []


def test_the_progress_is_what_lies_in_the_folder(tmp_path):
    growing = openml.Growing(tmp_path / "scratch")
    assert growing.__rich__() == "0.0 MB have come"
    (tmp_path / "scratch/deep").mkdir(parents=True)
    (tmp_path / "scratch/deep/half").write_bytes(bytes(1_500_000))
    shown = rich.console.Console(force_terminal=True, file=io.StringIO(), width=80)
    with shown.status(growing):
        pass
    assert "1.5 MB have come" in shown.file.getvalue()


def test_without_the_variable_data_sets_are_kept_in_the_cache_of_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.delenv("OPTBENCH_DATA", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert kept.folder() == tmp_path / ".cache/optbench"
    assert kept.folder().is_dir()


def test_every_downloaded_data_set_has_an_embedded_stand_in_and_its_published_sizes():
    assert set(SOURCES) < set(DATASETS)
    assert {name: source.stand_in for name, source in SOURCES.items()} == {
        "cifar10": "patches",
        "covertype": "breast_cancer",
        "fashion_mnist": "digits",
        "mnist": "digits",
        "svhn": "patches",
    }
    sizes = {name: (source.samples, sum(source.test_labels)) for name, source in SOURCES.items()}
    assert sizes == {
        "cifar10": (50_000 + 10_000, 10_000),
        "covertype": (581_012, 0),
        "fashion_mnist": (60_000 + 10_000, 10_000),
        "mnist": (60_000 + 10_000, 10_000),
        "svhn": (73_257 + 26_032, 26_032),
    }
