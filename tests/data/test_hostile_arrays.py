"""Array files that link elsewhere, or claim more than the memory holds."""

import zipfile

import h5py
import numpy as np
import pytest

from icc_cli.data import DataSource, load
from icc_cli.errors import DataError


def arrays(path):
    with h5py.File(path, "w") as file:
        file["images"] = np.zeros((4, 3, 3), np.uint8)
        file["labels"] = np.arange(4)
    return path


def external(path):
    arrays(path.with_name("other.h5"))
    with h5py.File(path, "w") as file:
        file["images"] = h5py.ExternalLink("other.h5", "/images")
        file["labels"] = np.arange(4)


def soft(path):
    with h5py.File(arrays(path), "a") as file:
        file["real"] = file["images"][()]
        del file["images"]
        file["images"] = h5py.SoftLink("/real")


def virtual(path):
    arrays(path.with_name("other.h5"))
    with h5py.File(path, "w") as file:
        layout = h5py.VirtualLayout((4, 3, 3), np.uint8)
        layout[:] = h5py.VirtualSource("other.h5", "images", (4, 3, 3))
        file.create_virtual_dataset("images", layout)
        file["labels"] = np.arange(4)


def raw_file(path):
    path.with_name("secret").write_bytes(bytes(36))
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (4, 3, 3), np.uint8, external=[(str(path.with_name("secret")), 0, 36)])
        file["labels"] = np.arange(4)


def absurd(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("images", (2**40, 64, 64, 3), np.uint8, chunks=(1, 64, 64, 3))
        file["labels"] = np.arange(4)


def group(path):
    with h5py.File(path, "w") as file:
        file.create_group("images")
        file["labels"] = np.arange(4)


def empty(path):
    path.write_bytes(b"")


@pytest.mark.parametrize("make", [external, soft, virtual, raw_file, absurd, group, empty])
def test_hdf5_is_refused(make, tmp_path):
    path = tmp_path / "data.h5"
    make(path)
    with pytest.raises(DataError) as caught:
        load(DataSource(f"h5:{path}"))
    assert caught.value.exit_code == 2
    assert str(path) in caught.value.message


def test_an_archive_that_claims_more_than_the_memory(tmp_path):
    path = tmp_path / "data.npz"
    np.savez(path, images=np.zeros((4, 3, 3), np.uint8), labels=np.arange(4))
    assert len(load(DataSource(f"npz:{path}")).train) == 4
    with (
        zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("test_images.npy", "w", force_zip64=True) as member,
    ):
        member.write(bytes(2**20))
    content = path.read_bytes()
    claimed = (2**20).to_bytes(4, "little")
    at = content.rindex(b"test_images.npy") - 46 + 24
    assert content[at : at + 4] == claimed
    path.write_bytes(content[:at] + (2**32 - 2).to_bytes(4, "little") + content[at + 4 :])
    with pytest.raises(DataError):
        load(DataSource(f"npz:{path}"))
    np.savez(path, images=np.zeros((4, 3, 3), object), labels=np.arange(4))
    with pytest.raises(DataError):
        load(DataSource(f"npz:{path}"))
