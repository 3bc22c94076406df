# pip asks every source archive for its name and version before it hands the archive over. This
# answers in place of the archive's own build system, which would first install CMake and Ninja;
# nothing is built, and no code of the archive runs.
import pathlib


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    archive = pathlib.Path.cwd()  # pip unpacks into NAME_HASH; the version is in the requirement
    name, version = "llama_cpp_python", archive_version(archive)
    folder = pathlib.Path(metadata_directory) / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", encoding="ascii"
    )
    return folder.name


def archive_version(archive):
    for line in (archive / "PKG-INFO").read_text(encoding="utf-8").splitlines():
        if line.startswith("Version: "):
            return line.removeprefix("Version: ")
    raise RuntimeError("PKG-INFO names no version")
