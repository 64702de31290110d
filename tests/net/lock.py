#!/usr/bin/env python3
"""Lockfiles: written from a cache, built from exactly, refused where anything differs."""

import hashlib
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from netkit import ARCH, MIRROR, PACKAGE, RELEASE, TREE, USAGE, NetTest, noise_package


class LockTest(NetTest):
    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.file = os.path.join(self.folder, "web.lock")

    def lock(self, *more):
        return self.run_program("lock", self.file, "-r", RELEASE, "-a", ARCH, "--mirror", self.url, "--cache", self.cache,
                                *more)

    def locked(self):
        with open(self.file) as stream:
            return json.load(stream)

    def change(self, change):
        lock = self.locked()
        change(lock)
        with open(self.file, "w") as stream:
            json.dump(lock, stream)

    def build_locked(self, *more, cache=None):
        """Another machine: an empty cache unless one is named. Release and architecture are the lockfile's."""
        return self.run_program("build", self.root, "--no-configure", "--lock", self.file, "--cache",
                                cache or os.path.join(self.folder, "other"), *more)

    def assert_refused(self, status, *names, **keywords):
        result = self.build_locked(**keywords)
        self.assertEqual(result.status, status, str(result))
        self.assertEqual(len(result.errors), 1, str(result))
        for name in names:
            self.assertIn(name, result.errors[0])
        self.assertFalse(os.path.exists(self.root), str(result))


class Writing(LockTest):
    def test_says_what_makes_the_root(self):
        self.assert_done(self.lock("--categories", "00_base", "--ignore", "zzz"))
        lock = self.locked()
        self.assertEqual(list(lock), ["plamo-fast-lock", "release", "arch", "categories", "contrib", "addons", "ignore",
                                      "tree", "files"])
        self.assertEqual((lock["plamo-fast-lock"], lock["release"], lock["arch"]), (1, RELEASE, ARCH))
        self.assertEqual((lock["categories"], lock["contrib"], lock["ignore"]), (["00_base"], [], ["zzz"]))
        for path, file in zip(self.paths, lock["files"], strict=True):
            with open(self.mirror + path, "rb") as stream:
                data = stream.read()
            self.assertEqual(file, {"file": os.path.basename(path), "url": self.url + path, "size": len(data),
                                    "sha256": hashlib.sha256(data).hexdigest()})

    def test_same_bytes_each_time(self):
        texts = []
        for cache in ("one", "two"):
            self.cache = os.path.join(self.folder, cache)
            self.assert_done(self.lock("--jobs", "1" if cache == "one" else "4"))
            with open(self.file, "rb") as stream:
                texts.append(stream.read())
        self.assertEqual(texts[0], texts[1])
        self.assertTrue(texts[0].endswith(b"}\n"))

    def test_without_a_tree(self):
        """For packages whose scripts make another tree each time."""
        self.put(netkit.package("ddd-1-x86_64-P1", script="date +%s%N > now\n"))
        other = os.path.join(self.folder, "other")
        for more, status in (((), PACKAGE), (("--no-digest",), netkit.DONE)):
            shutil.rmtree(other, ignore_errors=True)
            self.assert_done(self.lock(*more))
            self.assertEqual("tree" in self.locked(), status == PACKAGE)
            result = self.build_locked()
            self.assertEqual((result.status, os.path.exists(self.root)), (status, status == netkit.DONE), str(result))

    def test_to_standard_output(self):
        result = self.run_program("lock", "-r", RELEASE, "-a", ARCH, "--mirror", self.url, "--cache", self.cache)
        self.assert_done(result)
        self.assertEqual(len(json.loads(result.out)["files"]), 3)

    def test_shows_what_an_update_changed(self):
        self.assert_done(self.lock())
        os.unlink(self.mirror + self.paths[0])
        os.unlink(self.mirror + self.paths[1])
        self.put(noise_package("bbb", 10_000, seed=7, version="2"))
        self.put(noise_package("ddd", 10_000, seed=8))
        result = self.assert_done(self.lock("--update"))
        self.assertRegex(result.err, r"aaa-1-x86_64-P1.tgz: removed")
        self.assertRegex(result.err, r"bbb-2-x86_64-P1.tgz: in place of bbb-1-x86_64-P1.tgz")
        self.assertRegex(result.err, r"ddd-1-x86_64-P1.tgz: added")
        self.assertEqual([f["file"][:5] for f in self.locked()["files"]], ["bbb-2", "ccc-1", "ddd-1"])

    def test_does_not_replace_what_is_no_lockfile(self):
        with open(self.file, "w") as stream:
            stream.write("my notes\n")
        self.assertEqual(self.lock().status, USAGE)
        with open(self.file) as stream:
            self.assertEqual(stream.read(), "my notes\n")

    def test_cannot_be_written(self):
        self.file = os.path.join(self.folder, "no", "such", "folder")
        result = self.lock()
        self.assertEqual(result.status, netkit.FAILED, str(result))
        self.assertIn(self.file, result.errors[0])


class Building(LockTest):
    def setUp(self):
        super().setUp()
        self.assert_done(self.lock())
        self.server.clear()

    def test_asks_for_the_files_alone(self):
        self.assert_done(self.build_locked())
        self.assertEqual(sorted(r.path for r in self.server.asked()), sorted(self.paths))
        self.assert_installed(*self.paths)

    def assert_installed(self, *paths):
        names = sorted(os.path.basename(path).split("-")[0] for path in paths)
        self.assertEqual(sorted(os.listdir(self.root + "/var/log/packages")), names)

    def test_is_warm_the_second_time(self):
        self.assert_done(self.build_locked())
        shutil.rmtree(self.root)
        self.server.clear()
        self.assert_done(self.build_locked())
        self.assertEqual(self.server.requests, [])

    def test_new_packages_on_the_mirror_do_not_matter(self):
        self.put_some("abc", "zzz")
        self.assert_done(self.build_locked())
        self.assert_installed(*self.paths)

    def test_from_another_mirror(self):
        elsewhere = os.path.join(self.folder, "elsewhere")
        os.rename(self.mirror, elsewhere)
        self.assert_done(self.build_locked("--mirror", f"file://{elsewhere}"))
        self.assertEqual(self.server.requests, [])
        self.assert_installed(*self.paths)

    def test_same_root_as_without(self):
        self.assert_done(self.build_locked())
        locked = os.path.join(self.folder, "locked")
        os.rename(self.root, locked)
        self.assert_done(self.build())
        # The records name the cache folder, and the log the time.
        difference = subprocess.run(["diff", "-r", "-x", "install.log", "-x", "packages", self.root, locked],
                                    capture_output=True, text=True)
        self.assertEqual(difference.stdout, "")

    def test_changed_on_the_mirror(self):
        self.put(noise_package("bbb", 20_000, seed=55))
        self.assert_refused(PACKAGE, "bbb-1-x86_64-P1.tgz", "SHA-256")

    def test_larger_on_the_mirror(self):
        """What is not wanted is not fetched to its end."""
        self.put(noise_package("bbb", 30_000_000))
        self.assert_refused(PACKAGE, "bbb-1-x86_64-P1.tgz", "larger")
        self.assertLess(self.server.asked("bbb-1-x86_64-P1.tgz")[0].sent, 10_000_000)

    def test_gone_from_the_mirror(self):
        os.unlink(self.mirror + self.paths[1])
        self.assert_refused(MIRROR, "bbb-1-x86_64-P1.tgz")

    def test_a_cache_of_other_packages(self):
        self.put_some("ddd")
        shutil.rmtree(self.cache)
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        self.assert_refused(PACKAGE, "ddd-1-x86_64-P1.tgz", cache=self.cache)

    def test_a_cache_of_changed_packages(self):
        shutil.rmtree(self.cache)
        self.put(noise_package("bbb", 20_000, seed=55))
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        self.assert_refused(PACKAGE, "bbb-1-x86_64-P1.tgz", cache=self.cache)

    def lie(self):
        """Another package in the cache, of which its manifest says what the lockfile wants; its XXH3 is its own."""
        packages = os.path.join(self.cache, f"cache-plamo-{RELEASE}-{ARCH}")
        shutil.rmtree(self.cache)
        self.put(noise_package("bbb", 20_000, seed=55))
        self.assert_done(self.build())
        shutil.rmtree(self.root)
        with open(os.path.join(packages, ".plamo-fast.manifest.json")) as stream:
            manifest = json.load(stream)
        for noted, locked in zip(manifest["files"], self.locked()["files"]):
            noted["sha256"] = locked["sha256"]
        with open(os.path.join(packages, ".plamo-fast.manifest.json"), "w") as stream:
            json.dump(manifest, stream)

    def test_a_manifest_that_lies(self):
        """What it notes is not believed: of packages that are to be installed, and below a root that is there."""
        self.lie()
        self.assert_refused(PACKAGE, "bbb-1-x86_64-P1.tgz", "SHA-256", cache=self.cache)
        shutil.rmtree(os.path.join(self.cache, f"rootfs-plamo-{RELEASE}-{ARCH}"))
        self.assert_refused(PACKAGE, "bbb-1-x86_64-P1.tgz", "SHA-256", cache=self.cache)

    def test_a_manifest_that_lies_makes_no_lockfile(self):
        self.lie()
        os.unlink(self.file)
        self.assertEqual(self.lock().status, PACKAGE)
        self.assertFalse(os.path.exists(self.file))

    def test_brings_a_cache_back(self):
        """--update takes what the lockfile names, whatever the cache had."""
        good = {path: open(self.mirror + path, "rb").read() for path in self.paths}
        self.put(noise_package("bbb", 20_000, seed=55))
        self.assert_done(self.build("--update"))
        shutil.rmtree(self.root)
        for path, data in good.items():
            self.put((os.path.basename(path), data))
            os.utime(self.mirror + path, (1_600_000_000, 1_600_000_000))
        self.assert_done(self.build_locked("--update", cache=self.cache))
        self.assert_done(self.run_program("build", self.root + "2", "--lock", self.file, "--cache", self.cache))

    def test_another_release(self):
        result = self.build_locked("--release", "7.x")
        self.assertEqual(result.status, USAGE, str(result))
        self.assertIn(RELEASE, result.errors[0])

    def test_needs_all_packages(self):
        self.assertEqual(self.build_locked("--skip-corrupt").status, USAGE)


class Malformed(LockTest):
    """Fails closed: whatever is not exactly a lockfile is refused, and nobody is asked for anything."""

    def setUp(self):
        super().setUp()
        self.assert_done(self.lock())
        self.server.clear()

    def check(self, *names):
        self.assert_refused(USAGE, self.file, *names)
        self.assertEqual(self.server.requests, [])

    def test_digests(self):
        good = self.locked()["files"][1]["sha256"]
        for bad in ("", good[:-1], good + "0", good.upper(), "g" * 64, good[:32]):
            with self.subTest(bad):
                self.change(lambda lock: lock["files"][1].update(sha256=bad))
                self.check("bbb-1")

    def test_names(self):
        for bad in ("../x", "a/b", "", ".", "..", "a\nb", "x" * 256):
            with self.subTest(bad):
                self.change(lambda lock: lock["files"][1].update(file=bad))
                self.check()

    def test_twice(self):
        self.change(lambda lock: lock["files"].append(lock["files"][0]))
        self.check("twice")

    def test_keys(self):
        for change in (lambda lock: lock.pop("release"), lambda lock: lock.update(more=1), lambda lock: lock.pop("files"),
                       lambda lock: lock["files"][0].pop("sha256"), lambda lock: lock["files"][0].update(more=1),
                       lambda lock: lock.update(files=[]), lambda lock: lock.update({"plamo-fast-lock": 2}),
                       lambda lock: lock.update(files={}), lambda lock: lock["files"][0].update(size=-1)):
            os.unlink(self.file)
            self.assert_done(self.lock())
            self.server.clear()
            with self.subTest(change):
                self.change(change)
                self.check()

    def test_text(self):
        with open(self.file) as stream:
            good = stream.read()
        for bad in ("", "{}", "nonsense", good[:-10], good + "x", good.replace('"release"', '"arch"')):
            with self.subTest(bad[:20]), open(self.file, "w") as stream:
                stream.write(bad)
                stream.flush()
                self.check()

    def test_no_file(self):
        os.unlink(self.file)
        result = self.build_locked()
        self.assertNotEqual(result.status, 0)
        self.assertIn(self.file, result.errors[0])


class Signed(LockTest):
    def setUp(self):
        super().setUp()
        if not shutil.which("gpg") or not shutil.which("gpgv"):
            self.skipTest("needs gpg and gpgv")
        self.assert_done(self.lock())
        self.ring = self.key("signer")

    def gpg(self, home, *arguments):
        subprocess.run(["gpg", "--homedir", home, "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "",
                        *arguments], check=True, capture_output=True)

    def key(self, name):
        home = os.path.join(self.folder, name)
        os.mkdir(home, 0o700)
        self.addCleanup(subprocess.run, ["gpgconf", "--homedir", home, "--kill", "all"], capture_output=True)
        self.gpg(home, "--quick-gen-key", f"{name}@example.org", "ed25519")
        ring = os.path.join(self.folder, f"{name}.gpg")
        self.gpg(home, "--output", ring, "--export")
        return ring

    def sign(self, name="signer"):
        self.gpg(os.path.join(self.folder, name), "--yes", "--output", f"{self.file}.sig", "--detach-sign", self.file)

    def test_good(self):
        self.sign()
        self.assert_done(self.build_locked("--keyring", self.ring))

    def check_refused(self, *names, status=PACKAGE):
        self.server.clear()
        result = self.build_locked("--keyring", self.ring)
        self.assertEqual(result.status, status, str(result))
        for name in names:
            self.assertIn(name, result.errors[0])
        self.assertEqual(self.server.requests, [])

    def test_none(self):
        self.check_refused(f"{self.file}.sig", status=USAGE)

    def test_changed_afterwards(self):
        self.sign()
        self.change(lambda lock: lock["files"][0].update(size=1))
        self.check_refused("signature", "BAD")

    def test_by_somebody_else(self):
        self.key("stranger")
        self.sign("stranger")
        self.check_refused("signature")

    def test_no_signature_at_all(self):
        with open(f"{self.file}.sig", "w") as stream:
            stream.write("nonsense\n")
        self.check_refused("signature")

    def sign_on(self, day, *more):
        """Signs with a clock that shows another day."""
        self.gpg(os.path.join(self.folder, "signer"), "--faked-system-time", f"{day}T000000", *more, "--yes",
                 "--output", f"{self.file}.sig", "--detach-sign", self.file)

    def replace_ring(self, *uids):
        os.unlink(self.ring)
        self.gpg(os.path.join(self.folder, "signer"), "--output", self.ring, "--export", *uids)

    def test_revoked_key(self):
        """gpgv's exit status is 0."""
        self.sign()
        home = os.path.join(self.folder, "signer")
        revocations = os.path.join(home, "openpgp-revocs.d")
        with open(os.path.join(revocations, os.listdir(revocations)[0])) as stream:
            text = stream.read().replace(":-----BEGIN", "-----BEGIN")
        with open(os.path.join(self.folder, "revocation"), "w") as stream:
            stream.write(text)
        self.gpg(home, "--import", os.path.join(self.folder, "revocation"))
        self.replace_ring()
        self.check_refused("signature", "revoked")

    def test_expired_key(self):
        """It was not when it signed."""
        self.gpg(os.path.join(self.folder, "signer"), "--faked-system-time", "20200101T000000",
                 "--quick-gen-key", "old@example.org", "ed25519", "sign", "seconds=86400")
        self.sign_on("20200101", "--local-user", "old@example.org")
        self.replace_ring("old@example.org")
        self.check_refused("signature", "its key has expired")

    def test_expired_signature(self):
        self.gpg(os.path.join(self.folder, "signer"), "--faked-system-time", "20200101T000000",
                 "--quick-gen-key", "long@example.org", "ed25519", "sign", "0")
        self.sign_on("20200102", "--local-user", "long@example.org", "--default-sig-expire", "1d")
        self.replace_ring("long@example.org")
        self.check_refused("signature", "it has expired")

    def test_armoured_keyring(self):
        self.sign()
        os.unlink(self.ring)
        self.gpg(os.path.join(self.folder, "signer"), "--armor", "--output", self.ring, "--export")
        self.check_refused(self.ring, "gpg --dearmor", status=USAGE)

    def test_no_keyring(self):
        self.sign()
        self.ring = os.path.join(self.folder, "nothing.gpg")
        result = self.build_locked("--keyring", self.ring)
        self.assertNotEqual(result.status, 0)
        self.assertIn(self.ring, result.errors[0])


if __name__ == "__main__":
    netkit.main()
