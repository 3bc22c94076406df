# What machine a report is from, as far as `ovenbird doctor` does not tell: no host name, no user.
import os
import platform
import subprocess
import sys
from pathlib import Path

# Debian's and Ubuntu's names of what an NPU needs; elsewhere the files that doctor finds must do.
PACKAGES = ("intel-driver-compiler-npu", "intel-fw-npu", "intel-level-zero-npu", "level-zero",
            "libze1")
# In a process of its own, since loading a driver may end it.
LOADER_PATH = """
import ctypes
ctypes.CDLL("libze_loader.so.1")
for line in open("/proc/self/maps"):
    if "libze_loader.so" in line:
        print(line.split(None, 5)[5].strip())
        break
"""


def machine():
    loader = loader_path()
    return {"system": system_name(), "kernel": platform.release(), "machine": platform.machine(),
            "processor": first_value("/proc/cpuinfo", "model name"), "cores": os.cpu_count(),
            "memory_kib": first_value("/proc/meminfo", "MemTotal", str.split),
            "python": platform.python_version(), "packages": packages(),
            "accel_devices": accel_devices(), "loader": loader,
            "settings": {name: value for name, value in sorted(os.environ.items())
                         if name.startswith(("NPU_EMULATOR_", "OV_NPU_", "ZE_", "OVENBIRD_"))}}


def is_emulated(loader):
    """Whether the Level Zero loader is the one of testing/npu_emulator."""
    try:
        return loader is not None and b"NPU_EMULATOR_" in Path(loader).read_bytes()
    except OSError:
        return False


def loader_path():
    """Where the system finds the Level Zero loader, or None."""
    return output_of([sys.executable, "-c", LOADER_PATH])


def system_name():
    value = first_value("/etc/os-release", "PRETTY_NAME", lambda text: [text.strip('"')], "=")
    return value or platform.system()


def first_value(path, key, parts=lambda text: [text], mark=":"):
    """Of the first line `KEY MARK VALUE`, the first part of the value."""
    try:
        for line in Path(path).read_text(errors="replace").splitlines():
            name, _, value = line.partition(mark)
            if name.strip() == key:
                return parts(value.strip())[0]
    except (OSError, IndexError):
        pass
    return None


def packages():
    """name -> version, of those that are installed."""
    found = {}
    for name in PACKAGES:
        version = output_of(["dpkg-query", "-W", "-f=${Version}", name])
        if version:
            found[name] = version
    return found


def accel_devices():
    """[{name, vendor, device, driver}] of /sys/class/accel."""
    found = []
    for path in sorted(Path("/sys/class/accel").glob("accel*")):
        driver = path / "device" / "driver"
        found.append({"name": path.name,
                      "vendor": first_line(path / "device" / "vendor"),
                      "device": first_line(path / "device" / "device"),
                      "driver": driver.resolve().name if driver.exists() else None})
    return found


def first_line(path):
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return None


def output_of(command):
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=30,
                              check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace").strip() or None


def git_commit(root):
    return output_of(["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=12"])
