"""Installs the library into an empty folder and builds a stranger's project against it, by CMake and by pkg-config."""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ["HEAPWRIGHT_SOURCE"])
BUILD = Path(os.environ["HEAPWRIGHT_BUILD"])
STRANGER = SOURCE / "tests/package/stranger"
sys.path.insert(0, str(SOURCE / "tools"))
sys.dont_write_bytecode = True

import rules  # noqa: E402


def run(*command, **options):
    result = subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} failed:\n{result.stdout}\n{result.stderr}")
    return result.stdout


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.prefix = Path(cls.folder.name) / "prefix"
        run("cmake", "--install", BUILD, "--prefix", cls.prefix, "--component", "library")

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def test_find_package_gives_the_whole_library_and_single_modules(self):
        build = Path(self.folder.name) / "build"
        run("cmake", "-S", STRANGER, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release")
        run("cmake", "--build", build)
        self.assertEqual(run(build / "stranger"), "three doubles take 24 bytes\n")
        self.assertEqual(run(build / "narrow"), "1 page resident\n")
        self.assertEqual(run(build / "observer"), "no trace: not found\n")
        self.assertEqual(run(build / "served"), "served by libheapwright.so\n")
        self.assertEqual(run(build / "served_securely"), "served by libheapwright-secure.so\n")
        misuse = subprocess.run([build / "misuse"], capture_output=True, text=True)
        self.assertLess(misuse.returncode, 0, "a double free did not stop the program")
        self.assertIn("heapwright: double free: block 0x", misuse.stderr)

    def test_the_headers_are_quiet_under_a_users_own_warnings(self):
        for door in (SOURCE / "src/heapwright").glob("*.hpp"):
            self.assertIn(f"#include <heapwright/{door.name}>", (STRANGER / "quiet.cpp").read_text())
        warnings = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")
        for level in ("-O0", "-O2"):  # g++ finds other things where it inlines
            run("g++", "-std=c++23", level, *warnings, "-I", self.prefix / "include", "-c", STRANGER / "quiet.cpp",
                "-o", Path(self.folder.name) / "quiet.o")

    def test_the_source_tree_can_be_a_part_of_a_strangers_build(self):
        project = Path(self.folder.name) / "whole"
        project.mkdir()
        text = (STRANGER / "CMakeLists.txt").read_text()
        (project / "CMakeLists.txt").write_text(
            text.replace("find_package(heapwright 0.1 REQUIRED)", f"add_subdirectory({SOURCE} heapwright)"))
        for name in ("main.cpp", "misuse.cpp", "narrow.cpp", "served.cpp"):
            (project / name).write_text((STRANGER / name).read_text())
        build = project / "build"
        # zstd and the other libraries of the observer must not be asked for.
        run("cmake", "-S", project, "-B", build, "-G", "Ninja", "-DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON")
        run("cmake", "--build", build, "--target", "narrow", "served")
        self.assertEqual(run(build / "bin/narrow" if (build / "bin/narrow").exists() else build / "narrow"), "1 page resident\n")
        self.assertEqual(run(build / "bin/served" if (build / "bin/served").exists() else build / "served"), "served by libheapwright.so\n")

    def test_a_version_that_is_not_there_is_refused(self):
        build = Path(self.folder.name) / "newer"
        text = (STRANGER / "CMakeLists.txt").read_text().replace("heapwright 0.1", "heapwright 7.0")
        project = Path(self.folder.name) / "project"
        project.mkdir()
        (project / "CMakeLists.txt").write_text(text)
        result = subprocess.run(["cmake", "-S", project, "-B", build, "-G", "Ninja", f"-DCMAKE_PREFIX_PATH={self.prefix}"],
                                capture_output=True, text=True)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("compatible", result.stderr)

    def test_pkg_config_gives_the_same(self):
        folders = ":".join(str(path) for path in self.prefix.rglob("pkgconfig"))
        environment = dict(os.environ, PKG_CONFIG_PATH=folders)
        # Installed elsewhere than configured: the files name no prefix.
        flags = run("pkg-config", "--cflags", "--libs", "heapwright", env=environment).split()
        program = Path(self.folder.name) / "by_hand"
        run("g++", STRANGER / "main.cpp", "-o", program, *flags)
        self.assertEqual(run(program), "three doubles take 24 bytes\n")
        flags = run("pkg-config", "--libs", "heapwright-malloc", env=environment).split()
        run("g++", STRANGER / "served.cpp", "-o", program, *flags)
        self.assertEqual(run(program), "served by libheapwright.so\n")
        source = Path(self.folder.name) / "moves.c"
        source.write_text("#include <heapwright/malloc.h>\nint main(void) { return (int)heapwright_begin_evacuation().blocks; }\n")
        flags = run("pkg-config", "--cflags", "--libs", "heapwright-malloc", env=environment).split()
        run("cc", "-std=c99", "-Wall", "-Werror", source, "-o", program, *flags)
        self.assertEqual(run(program), "")

    def test_installed_headers_are_those_that_the_modules_list(self):
        include = self.prefix / "include"
        installed = {path.relative_to(include).as_posix() for path in include.rglob("*") if path.is_file()}
        listed = {f"heapwright/{module.path}/{name}" for module in rules.modules(SOURCE)
                  if module.kind == "module" and not module.path.startswith("study/") for name in module.headers}
        doors = {f"heapwright/{path.name}" for path in (SOURCE / "src/heapwright").glob("*.h*")}
        self.assertEqual(installed, listed | doors)

    def test_installed_files_do_not_name_the_folder_they_were_built_in(self):
        for path in self.prefix.rglob("*"):
            if path.suffix in (".cmake", ".hpp"):
                found = re.search(re.escape(str(SOURCE)) + r"\b", path.read_text())
                self.assertIsNone(found, f"{path} names the source folder")


if __name__ == "__main__":
    unittest.main()
