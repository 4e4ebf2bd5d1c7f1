"""A model as a page that recognises herbs in the browser itself: on a phone, offline, sent nowhere.

What is written is a folder for any web server: page/index.html, the model and the resizing of
photos in ONNX, herbs.json, and the two files of onnxruntime-web (MIT) that run them.
"""

import base64
import contextlib
import hashlib
import http.client
import io
import os
import tarfile
import urllib.request
from pathlib import Path

from herbdemo.atomic import replace_file, whole_folder
from herbdemo.checkpoint import Checkpoint
from herbdemo.errors import HerbError
from herbdemo.export import described, onnx_model, writing
from herbdemo.files import home

PAGE = Path(__file__).with_name("page")
PACKAGE = "onnxruntime-web-1.30.0.tgz"
ADDRESS = f"https://registry.npmjs.org/onnxruntime-web/-/{PACKAGE}"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
RUNTIME = ("ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm")  # for the CPU, in wasm only
MAX_BYTES = 64 << 20  # of the package, which has 33 MB
PATIENCE = 60  # seconds without a byte

# As `Preprocessing.tensor` resizes: to the nearest step of 255, with antialias.
PREPARE = """
<ir_version: 10, opset_import: ["": 20]>
prepare (uint8[height, width, 4] rgba) => (float[1, 3, SIZE, SIZE] photos)
<int64[1] zero = {0}, int64[1] three = {3}, int64[1] last = {2}, int64[4] size = {1, 3, SIZE, SIZE}>
{
    rgb = Slice (rgba, zero, three, last)
    planes = Transpose <perm = [2, 0, 1]> (rgb)
    photo = Unsqueeze (planes, zero)
    small = Resize <mode = "linear", antialias = 1> (photo, , , size)
    photos = Cast <to = 1> (small)
}
"""


def export_page(checkpoint: Checkpoint, folder: Path, *, runtime: Path | None = None) -> Path:
    """Write the page to `folder`, a new one.

    Args:
        runtime: onnxruntime-web as npm packs it, or unpacked; fetched from npm's registry by
            default, and then kept in `home()`.

    Raises:
        HerbError: `folder` exists or cannot be written, onnxruntime-web cannot be had or is not
            the one that was asked for, or a package is missing, see `export.onnx_model`.
    """
    if os.path.lexists(folder):  # `exists` raises where a name is too long
        raise HerbError(
            "这个文件夹已经存在。请为网页另起一个名字。",
            "This folder exists already. Choose a new one for the page.",
            hint="export-exists",
        )
    files = _runtime(runtime)
    files["model.onnx"] = onnx_model(checkpoint).SerializeToString()
    files["prepare.onnx"] = preparing(checkpoint.preprocessing.size)
    files["herbs.json"] = described(checkpoint).encode()
    with writing(), whole_folder(folder) as temporary:
        for page in PAGE.iterdir():
            files[page.name] = page.read_bytes()
        for name, data in files.items():
            (temporary / name).write_bytes(data)
    return folder


def preparing(size: int) -> bytes:
    """ONNX that makes `photos` (1, 3, size, size) for the network of `rgba` (height, width, 4)."""
    import onnx

    return onnx.parser.parse_model(PREPARE.replace("SIZE", str(size))).SerializeToString()


def _runtime(given: Path | None) -> dict[str, bytes]:
    """The files of onnxruntime-web by name."""
    if given is None:
        return _fetched()
    try:
        if given.is_dir():
            return {name: (given / "dist" / name).read_bytes() for name in RUNTIME}
        package = given.read_bytes()
    except OSError as error:
        raise HerbError(
            f"这里没有 onnxruntime-web。请给出 {PACKAGE}，或它解开后的文件夹。",
            f"There is no onnxruntime-web here. Name {PACKAGE}, or the folder that it unpacks to.",
            hint="runtime-missing",
        ) from error
    return _unpacked(package)


def _fetched() -> dict[str, bytes]:
    """From the package as it was kept, else as the registry has it."""
    kept = home() / PACKAGE
    with contextlib.suppress(OSError, HerbError):
        return _unpacked(kept.read_bytes())
    try:
        with urllib.request.urlopen(ADDRESS, timeout=PATIENCE) as reply:
            data = reply.read(MAX_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise HerbError(
            f"连不上 npm 的仓库，拿不到 onnxruntime-web。请检查网络；或在别处下载 {ADDRESS} ，"
            "再用 --runtime 给出这个文件。",
            "npm's registry cannot be reached for onnxruntime-web. Check the connection, or "
            f"download {ADDRESS} elsewhere and name the file with --runtime.",
            hint="runtime-unreachable",
        ) from error
    files = _unpacked(data)
    with contextlib.suppress(OSError):  # keeping it only saves the next download
        replace_file(kept, data)
    return files


def sha512(data: bytes) -> str:
    """As npm writes it, in base64."""
    return base64.b64encode(hashlib.sha512(data).digest()).decode()


def _unpacked(package: bytes) -> dict[str, bytes]:
    if sha512(package) != SHA512:
        raise HerbError(
            f"这不是完好的 {PACKAGE}。请重新下载 {ADDRESS} 。",
            f"This is not {PACKAGE}, or it is damaged. Download {ADDRESS} again.",
            hint="runtime-damaged",
        )
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        files = {name: archive.extractfile(f"package/dist/{name}") for name in RUNTIME}
        return {name: file.read() for name, file in files.items() if file}
