#!/usr/bin/env python3
"""The digest of a finished tree: the same packages give the same one, and a lockfile that fixes one is kept to it."""

import json
import os
import re
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import PACKAGE, USAGE, NetTest, package
from package import link_pair
from tarball import file, folder


class DigestTest(NetTest):
    def setUp(self):
        super().setUp()
        self.put(package("aaa-1-x86_64-P1", [folder("usr/share/d", mode=0o750), file("usr/share/aaa", b"x" * 30_000)],
                         script=link_pair("usr/share", "link", "aaa")))
        # What it writes has the time of the day, but only as a file's time.
        self.put(package("bbb-1-x86_64-P1", [file("usr/share/bbb", b"y", mode=0o4755)],
                         script="mkdir -p etc/made\necho made > etc/made/by-bbb\n"))

    def digest(self, root):
        result = self.assert_done(self.run_program("digest", root))
        self.assertRegex(result.out, r"\Atree: sha256:[0-9a-f]{64}\n\Z")
        return result.out

    def build_anew(self, *more):
        for path in (self.root, self.cache):
            shutil.rmtree(path, ignore_errors=True)
        return self.assert_done(self.build(*more))


class Digest(DigestTest):
    def test_printed(self):
        """--digest prints ROOT's; where that stays as installed it is the cached root's, too."""
        result = self.build_anew("--digest")
        self.assertEqual(result.out, self.digest(self.root))
        self.assertEqual(result.out, self.digest(self.cache_folder("rootfs")))
        self.assertEqual(self.build_anew().out, "")
        self.assertNotIn("digest", self.build_anew("--digest", "-q").err)

    def test_of_a_configured_root(self):
        """Not the cached root's: it has a name, and whatever else is asked for."""
        for path in (self.root, self.cache):
            shutil.rmtree(path, ignore_errors=True)
        arguments = self.build_arguments("--digest", "--name", "c1")
        arguments.remove("--no-configure")
        result = self.assert_done(self.run_program(*arguments))
        self.assertEqual(result.out, self.digest(self.root))
        self.assertNotEqual(result.out, self.digest(self.cache_folder("rootfs")))
        self.assertIn("as configured for c1", result.err)

    def test_another_day_cache_and_number_of_workers(self):
        first = self.build_anew("--digest", "--jobs", "1").out
        self.cache = os.path.join(self.folder, "cache2")
        self.assertEqual(self.build_anew("--digest", "--jobs", "8").out, first)
        # Years later, as far as files tell.
        for above, folders, files in os.walk(self.root):
            for name in (*folders, *files):
                os.utime(os.path.join(above, name), (2_000_000_000,) * 2, follow_symlinks=False)
        self.assertEqual(self.digest(self.root), first)

    def test_changed(self):
        first = self.build_anew("--digest").out
        os.chmod(f"{self.root}/usr/share/bbb", 0o755)
        self.assertNotEqual(self.digest(self.root), first)

    def test_no_folder(self):
        for root in (f"{self.folder}/nothing", f"{self.mirror}{netkit.BASE}/aaa-1-x86_64-P1.tgz"):
            self.assert_failed(self.run_program("digest", root), USAGE, root)
        self.assert_failed(self.run_program("digest"), USAGE)


class Locked(DigestTest):
    def setUp(self):
        super().setUp()
        self.lock = os.path.join(self.folder, "web.lock")

    def build_locked(self, *more):
        shutil.rmtree(self.root, ignore_errors=True)
        return self.run_program("build", self.root, "--no-configure", "--lock", self.lock, "--cache",
                                os.path.join(self.folder, "other"), *more)

    def test_kept_to(self):
        self.assert_done(self.run_program("lock", self.lock, *self.build_arguments()[3:]))
        with open(self.lock) as stream:
            text = stream.read()
        tree = json.loads(text)["tree"]
        # On another machine, later.
        result = self.assert_done(self.build_locked())
        self.assertEqual(result.out, "")
        self.assertIn(tree, result.err)
        shutil.rmtree(self.root)
        result = self.assert_done(self.build_locked("-q"))
        self.assertEqual((result.out, tree in result.err), ("", False))
        shutil.rmtree(self.root)
        result = self.assert_done(self.build_locked("--digest"))
        self.assertEqual(result.out, f"tree: {tree}\n")
        # Somebody has been at the cached root.
        other = os.path.join(self.folder, "other", "rootfs-plamo-8.x-x86_64")
        with open(f"{other}/usr/share/aaa", "ab") as stream:
            stream.write(b"!")
        result = self.build_locked()
        self.assertEqual((result.status, len(result.errors)), (PACKAGE, 1), str(result))
        for name in (tree, "the lockfile", other):
            self.assertIn(name, result.errors[0])
        self.assertFalse(os.path.lexists(self.root))
        # Clean, as the error says.
        self.assert_done(self.run_program("clean", "--release", "8.x", "--arch", "x86_64", "--cache",
                                          os.path.dirname(other)))
        self.assert_done(self.build_locked())
        for bad in (tree[:-1], tree[7:], tree.upper(), tree.replace("sha256", "md5"), ""):
            with self.subTest(bad), open(self.lock, "w") as stream:
                stream.write(re.sub(tree, bad, text))
                stream.flush()
                result = self.build_locked()
                self.assertEqual((result.status, len(result.errors)), (USAGE, 1), str(result))
                self.assertIn("the digest of the tree", result.errors[0])


if __name__ == "__main__":
    netkit.main()
