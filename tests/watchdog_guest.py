"""A tiny virtual machine with a real watchdog: QEMU without KVM, Debian's kernel, and an initramfs of busybox and the
program under test. The image is kept in build/ under a name made of its contents.

The kernel is downloaded and unpacked, not installed: the machine that runs the tests goes on booting as it did.
"""

import hashlib
import json
import pathlib
import re
import shutil
import socket
import subprocess
import tempfile

from komainu_lab.lab import SOURCE, program
from komainu_lab.waiting import wait_for

CACHE = SOURCE / "build" / "guest"
BUSYBOX = pathlib.Path("/bin/busybox")
MODULES = ("watchdog", "i6300esb", "softdog")
INIT = """#!/bin/busybox sh
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t sysfs sysfs /sys
/bin/busybox mount -t devtmpfs devtmpfs /dev
exec </dev/ttyS0 >/dev/ttyS0 2>&1
/bin/busybox --install -s /bin
export PATH=/bin
insmod /modules/watchdog.ko
. /script
echo script-is-over
sleep 3600
"""


def _run(*command, **options):
    return subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=300, **options)


def kernel():
    """The folder of Debian's newest kernel for this release: vmlinuz and the modules."""
    depends = _run("apt-cache", "depends", "linux-image-amd64", text=True).stdout
    package = re.search(r"Depends: (linux-image-\S+)", depends)
    if not package:
        raise RuntimeError("apt knows no linux-image-amd64: run apt-get update")
    folder = CACHE / package[1]
    if (folder / "vmlinuz").exists():
        return folder
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as work:
        try:
            _run("apt-get", "download", package[1], cwd=work)
        except subprocess.CalledProcessError:
            _run("apt-get", "update")  # the mirror has a newer one than apt has heard of
            _run("apt-get", "download", package[1], cwd=work)
        deb = next(pathlib.Path(work).glob("*.deb"))
        unpacked = pathlib.Path(work) / "unpacked"
        _run("dpkg-deb", "-x", deb, unpacked)
        made = pathlib.Path(work) / "made"
        made.mkdir()
        shutil.move(next((unpacked / "boot").glob("vmlinuz-*")), made / "vmlinuz")
        for module in MODULES:
            shutil.move(next(unpacked.glob(f"lib/modules/*/kernel/drivers/watchdog/{module}.ko")), made)
        made.rename(folder)
    return folder


def _libraries(binary):
    return re.findall(r"(/\S+) \(0x", _run("ldd", binary, text=True).stdout)


def image(script):
    """The kernel, and an initramfs that runs the shell commands `script`."""
    kernel_folder = kernel()
    test_program = program("komainu-watchdog-test")
    files = {"/bin/busybox": BUSYBOX, "/bin/komainu-watchdog-test": test_program}
    files |= {library: pathlib.Path(library) for library in _libraries(test_program)}
    files |= {f"/modules/{module}.ko": kernel_folder / f"{module}.ko" for module in MODULES}
    content = hashlib.sha256((INIT + script).encode())
    for name, source in sorted(files.items()):
        content.update(name.encode() + source.read_bytes())
    initramfs = CACHE / f"{content.hexdigest()[:20]}.cpio"
    if not initramfs.exists():
        with tempfile.TemporaryDirectory(dir=CACHE) as work:
            root = pathlib.Path(work) / "root"
            for name, source in files.items():
                (root / name.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, root / name.lstrip("/"))
            for folder in ("proc", "sys", "dev"):
                (root / folder).mkdir()
            (root / "script").write_text(script)
            (root / "init").write_text(INIT)
            (root / "init").chmod(0o755)
            names = "\n".join(str(path.relative_to(root)) for path in sorted(root.rglob("*")))
            packed = _run(BUSYBOX, "cpio", "-o", "-H", "newc", cwd=root, input=names.encode()).stdout
            temporary = pathlib.Path(work) / "image"
            temporary.write_bytes(packed)
            temporary.rename(initramfs)
    return kernel_folder / "vmlinuz", initramfs


class Guest:
    """Use in a `with` block. A reset of the machine ends it: QEMU says so and exits."""

    def __init__(self, script, devices=()):
        self._folder = tempfile.TemporaryDirectory()
        folder = pathlib.Path(self._folder.name)
        self._console = folder / "console"
        vmlinuz, initramfs = image(script)
        command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", "256", "-nodefaults", "-no-user-config",
                   "-display", "none", "-no-reboot", "-serial", f"file:{self._console}",
                   "-qmp", f"unix:{folder}/qmp,server=on,wait=off", "-kernel", vmlinuz, "-initrd", initramfs,
                   "-append", "console=ttyS0 quiet panic=-1"]
        for device in devices:
            command += ["-device", device]
        self._errors = open(folder / "errors", "w+", encoding="utf-8")
        self._process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL,
                                         stdout=self._errors, stderr=self._errors)
        self._qmp = socket.socket(socket.AF_UNIX)
        self.events = []

        def connect():
            self._qmp.connect(f"{folder}/qmp")
            return True

        try:
            wait_for(connect, 20, "QEMU answers")
            self._qmp.sendall(b'{"execute": "qmp_capabilities"}\n')
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._qmp.close()
        self._errors.close()
        self._folder.cleanup()

    def console(self):
        return self._console.read_text(errors="replace").replace("\r", "") if self._console.exists() else ""

    def wait_for_line(self, text, deadline):
        wait_for(lambda: text in self.console(), deadline, f"the guest says '{text}'", interval=0.1)

    def wait_for_end(self, deadline):
        """The events of QEMU's life, by name, once it has ended."""
        self._process.wait(timeout=deadline)
        received = b""
        self._qmp.settimeout(5)
        while chunk := self._qmp.recv(65536):
            received += chunk
        messages = [json.loads(line) for line in received.decode().splitlines()]
        return {message["event"]: message.get("data", {}) for message in messages if "event" in message}
