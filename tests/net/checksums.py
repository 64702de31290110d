#!/usr/bin/env python3
"""The mirror's own lists of checksums, where it has them: what does not match is never installed."""

import hashlib
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))

import netkit
from faulty_server import Fault
from netkit import ARCH, BASE, DONE, PACKAGE, RELEASE, TREE, NetTest, noise_package

NAME = "bbb-1-x86_64-P1.tgz"
SOFT_404 = (b"<!DOCTYPE html><html><head><title>Not found</title></head><body><h1>404</h1>\n"
            b"<p>d41d8cd98f00b204e9800998ecf8427e is our error number.</p></body></html>\n")


class Checksums(NetTest):
    def setUp(self):
        super().setUp()
        self.paths = self.put_some("aaa", "bbb", "ccc")
        self.data = self.read(self.mirror + self.paths[1])
        self.md5, self.sha256 = hashlib.md5(self.data).hexdigest(), hashlib.sha256(self.data).hexdigest()
        # Sums of nothing that is here.
        self.wrong_md5, self.wrong_sha256 = hashlib.md5(b"x").hexdigest(), hashlib.sha256(b"x").hexdigest()

    def write(self, path, text):
        os.makedirs(os.path.dirname(self.mirror + path), exist_ok=True)
        with open(self.mirror + path, "w") as f:
            f.write(text)

    def top_list(self, *lines):
        self.write(f"{TREE}/CHECKSUMS.md5", "".join(f"{line}\n" for line in lines))

    def check_good(self, *more):
        result = self.assert_done(self.build(*more))
        self.assert_installed(*self.paths)
        return result

    def check_bad(self, wrong, right, *more):
        """The status of a bad package; the file and both sums in one line; the next run, mended, fetches it anew."""
        result = self.assert_failed(self.build(*more), PACKAGE, NAME.removesuffix(".tgz"), wrong, right)
        self.assertFalse(os.path.exists(self.partial(NAME)), "the bad file is kept")
        return result


class Right(Checksums):
    """Each form of a list that matches. That it is read at all is shown by the same form with a wrong sum."""

    def both(self, path, line):
        """line takes the sum; MD5 or SHA-256 by the name of the list."""
        sha256 = path.endswith(".sha256")
        right, wrong = (self.sha256, self.wrong_sha256) if sha256 else (self.md5, self.wrong_md5)
        self.write(path, line.format(right) + "\n")
        self.check_good()
        self.assertTrue(self.server.asked(os.path.basename(path)), "the list was not asked for")
        for folder in (self.cache, self.root):
            shutil.rmtree(folder)
        self.write(path, line.format(wrong) + "\n")
        self.check_bad(wrong, right)
        shutil.rmtree(self.cache)
        os.unlink(self.mirror + path)
        self.server.clear()

    def test_top(self):
        for line in ("{}  plamo/00_base/" + NAME, "{}  ./plamo/00_base/" + NAME, "{} *./plamo/00_base/" + NAME,
                     "MD5 (plamo/00_base/" + NAME + ") = {}"):
            with self.subTest(line):
                self.both(f"{TREE}/CHECKSUMS.md5", line)

    def test_capitals(self):
        self.md5, self.wrong_md5 = self.md5.upper(), self.wrong_md5.upper()
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.check_good()

    def test_category(self):
        for line in ("{}  " + NAME, "{}  ./" + NAME):
            with self.subTest(line):
                self.both(f"{BASE}/CHECKSUMS.md5", line)

    def test_sub_folder(self):
        sub = self.put(noise_package("sub", 5000), "plamo/00_base/devel.txz")
        data = self.read(self.mirror + sub)
        name = os.path.basename(sub)
        self.write(f"{BASE}/devel.txz/CHECKSUMS.md5", f"{hashlib.md5(data).hexdigest()}  {name}\n")
        self.paths.append(sub)
        self.assert_done(self.build())
        shutil.rmtree(self.cache)
        shutil.rmtree(self.root)
        self.write(f"{BASE}/devel.txz/CHECKSUMS.md5", f"{self.wrong_md5}  {name}\n")
        self.assert_failed(self.build(), PACKAGE, "sub-1-x86_64-P1", self.wrong_md5)

    def test_beside_the_package(self):
        for line in ("{}  " + NAME, "{} *" + NAME, "{}"):
            with self.subTest(line):
                self.both(f"{BASE}/{NAME}.sha256", line)

    def test_list_of_a_folder(self):
        self.both(f"{BASE}/all.sha256", "{}  " + NAME)

    def test_of_texts(self):
        """What an add-on's pattern takes along is verified as well."""
        text = f"{BASE}/bbb-1-x86_64-P1.txt"
        self.write(text, "bbb: a text\n")
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{os.path.basename(text)}")
        result = self.build("--add", "plamo/00_base/bbb")
        self.assert_failed(result, PACKAGE, os.path.basename(text), self.wrong_md5)

    def test_second_build_asks_for_no_list(self):
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.check_good()
        shutil.rmtree(self.root)
        self.server.clear()
        self.check_good()
        self.assertEqual(self.server.requests, [])


class Wrong(Checksums):
    def test_mended(self):
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        self.check_bad(self.wrong_md5, self.md5)
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.server.clear()
        self.check_good()
        self.assertIn(NAME, self.fetched())

    def test_option(self):
        """--no-checksums: neither asked for nor believed."""
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        self.write(f"{BASE}/CHECKSUMS.md5", f"{self.wrong_md5}  {NAME}\n")
        self.write(f"{BASE}/{NAME}.sha256", f"{self.wrong_sha256}\n")
        self.check_good("--no-checksums")
        self.assertEqual([r.path for r in self.server.asked() if r.path.endswith((".md5", ".sha256"))], [])

    def test_of_what_is_not_planned(self):
        self.put(noise_package("kernel", 5000))
        self.put(noise_package("xxx", 5000), "plamo/02_devel")
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/kernel-1-x86_64-P1.tgz",
                      f"{self.wrong_md5}  ./plamo/02_devel/xxx-1-x86_64-P1.tgz", f"{self.wrong_md5}  ./plamo/{NAME}",
                      f"{self.wrong_md5}  ./contrib/00_base/{NAME}", f"{self.md5}  ./plamo/00_base/{NAME}")
        self.check_good()

    def test_sha256_counts_more(self):
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        self.write(f"{BASE}/{NAME}.sha256", f"{self.sha256}  {NAME}\n")
        self.check_good()

    def test_md5_does_not_save_from_sha256(self):
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.write(f"{BASE}/{NAME}.sha256", f"{self.wrong_sha256}  {NAME}\n")
        self.check_bad(self.wrong_sha256, self.sha256)

    def test_skip_corrupt(self):
        """Left out as any damaged package, and said."""
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        result = self.assert_done(self.build("--skip-corrupt"))
        self.assertIn(NAME.removesuffix(".tgz"), result.err)
        self.assertEqual(sorted(os.listdir(self.root + "/var/log/packages")), ["aaa", "ccc"])

    def test_interrupted_download(self):
        """The sum is that of the whole file, also where it came in parts."""
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.server.add(self.paths[1], Fault(cut=9000))
        self.check_good()
        self.assertEqual([r.range_start for r in self.server.asked(NAME)], [None, 9000])

    def test_killed_download(self):
        """A file that an earlier run finished is held against the list of this one."""
        slow = self.put(noise_package("zzz", 20_000))
        self.server.add(slow, Fault(stall=9000))
        process = self.start_build()
        self.eventually(lambda: os.path.exists(self.partial(NAME)), "bbb")
        self.eventually(lambda: self.size(self.partial("zzz-1-x86_64-P1.tgz.part")) >= 9000, "a part of zzz")
        process.kill()
        self.wait(process)
        self.server.release()
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        self.check_bad(self.wrong_md5, self.md5)

    def test_update(self):
        """The list has changed, the file, by its tag, has not: it is not what the mirror means, so nothing is done."""
        self.check_good()
        shutil.rmtree(self.root)
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        result = self.build("--update")
        self.assertEqual((result.status, len(result.errors)), (PACKAGE, 1), str(result))
        self.assertIn(self.wrong_md5, result.errors[0])

    def test_several_mirrors(self):
        """The first's list holds for packages of the second: what does not match is not taken."""
        second = self.another_mirror()
        _, other = noise_package("bbb", 20_000, seed=9)
        self.put((NAME, other), mirror=second.folder)
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.server.add(self.paths[1], Fault(status=404, repeat=True))
        self.check_bad(self.md5, hashlib.md5(other).hexdigest(), "--mirror", second.url)

    def test_several_mirrors_that_agree(self):
        second = self.another_mirror()
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        self.server.add(self.paths[1], Fault(status=404, repeat=True))
        self.check_good("--mirror", second.url)
        self.assertEqual([r.path for r in second.asked()], [self.paths[1]])

    def test_damaged_on_the_first_alone(self):
        """The list tells that the first's file is damaged, and another mirror may have the right one."""
        second = self.another_mirror()
        self.top_list(f"{self.md5}  ./plamo/00_base/{NAME}")
        _, self.server.contents[self.paths[1]] = noise_package("bbb", 20_000, seed=9)
        result = self.build("--mirror", second.url)
        if result.status != DONE:
            self.assert_failed(result, PACKAGE, NAME.removesuffix(".tgz"), self.md5)
            return
        self.assertEqual(self.read(self.cache_folder("cache"), NAME), self.data)


class Lists(Checksums):
    """Lists that are of no use are no failure."""

    def test_stale(self):
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/bbb-0.9-x86_64-P1.tgz", f"{self.wrong_md5}  ./plamo/gone.tgz")
        self.check_good()

    def test_refused(self):
        for status in (404, 403, 410, 401):
            with self.subTest(status):
                self.server.clear()
                self.server.add(f"{TREE}/CHECKSUMS.md5", Fault(status=status, repeat=True))
                self.check_good()
                self.assertEqual(len(self.server.asked("CHECKSUMS.md5")), 1)
                shutil.rmtree(self.cache)
                shutil.rmtree(self.root)

    def test_unavailable(self):
        """An error for now: it is tried again, as everything is."""
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        self.server.add(f"{TREE}/CHECKSUMS.md5", Fault(status=503))
        self.check_bad(self.wrong_md5, self.md5)

    def test_cut_off(self):
        """Half a list is no list: again, until all of it is there."""
        self.top_list(f"{self.wrong_md5}  ./x", f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        self.server.add(f"{TREE}/CHECKSUMS.md5", Fault(cut=20))
        self.check_bad(self.wrong_md5, self.md5)

    def test_page_in_its_place(self):
        self.server.contents[f"{TREE}/CHECKSUMS.md5"] = SOFT_404
        self.check_good()

    def test_redirect_to_a_page(self):
        """A portal that sends everybody who is lost to its front page."""
        self.server.add(f"{TREE}/CHECKSUMS.md5", Fault(redirect="/", repeat=True))
        self.check_good()

    def test_junk(self):
        for junk in (b"", b"\0" * 1000, os.urandom(5000), b"\n" * 1000, b"x" * 100_000):
            with self.subTest(junk[:10]):
                self.server.contents[f"{TREE}/CHECKSUMS.md5"] = junk
                self.check_good()
                shutil.rmtree(self.cache)
                shutil.rmtree(self.root)

    def test_names_that_lead_elsewhere(self):
        self.top_list(f"{self.wrong_md5}  ../x86_64/plamo/00_base/{NAME}", f"{self.wrong_md5}  /plamo/00_base/{NAME}",
                      f"{self.wrong_md5}  plamo/../plamo/00_base/{NAME}", f"{self.md5}  plamo/00_base/{NAME}")
        self.check_good()

    def test_plan(self):
        """A plan does not fail for it, whatever the sums are."""
        self.top_list(f"{self.wrong_md5}  ./plamo/00_base/{NAME}")
        result = self.assert_done(self.run_program("plan", "-r", RELEASE, "-a", ARCH, "-m", self.url))
        self.assertIn(NAME, result.out)


if __name__ == "__main__":
    netkit.main()
