"""Run the program ``zipnn`` that comes with the package."""

import os
import subprocess
import sys
import sysconfig


def _program() -> str:
    name = "zipnn.exe" if os.name == "nt" else "zipnn"
    schemes = {sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user")}
    folders = [sysconfig.get_path("scripts", scheme) for scheme in sorted(schemes)]
    # `pip install --target` puts programs beside the packages.
    package = os.path.dirname(os.path.abspath(__file__))
    folders.append(os.path.join(os.path.dirname(package), "bin"))
    for folder in folders:
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            return path
    raise SystemExit(f"the program {name} is in none of these folders: {', '.join(folders)}")


def main() -> None:
    """Replace this process by the program, with the same arguments."""
    command = [_program(), *sys.argv[1:]]
    if os.name == "nt":
        raise SystemExit(subprocess.run(command, check=False).returncode)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
