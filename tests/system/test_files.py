# SPDX-License-Identifier: BSD-2-Clause
"""The root file system (fs/ram), through the shell."""


def test_write_and_read_back(boot):
    result = boot("cd /tmp; dd if=/dev/urandom of=a bs=64k count=50 2>/dev/null; cp a b; cmp a b && wc -c <b; rm a b; ls")
    assert result.out == f"{50 * 65536}\n"


def test_append_truncate_sparse(boot):
    result = boot("cd /tmp; echo one >f; echo two >>f; cat f; : >f; wc -c <f; dd if=/dev/zero of=f bs=1 count=1 seek=10000000 "
                  "2>/dev/null; wc -c <f; tr -d '\\0' <f | wc -c; rm f")
    assert result.out == "one\ntwo\n0\n10000001\n0\n"


def test_links_and_renames(boot):
    result = boot("cd /tmp; echo text >a; ln a b; ln -s a s; cat s; ls -l a | awk '{ print $2 }'; mv a c; cat b; cat s 2>/dev/null || echo dangling; "
                  "mkdir -p d/e; mv d/e f; rmdir d f; mkdir x; mkdir x/y; rmdir x 2>/dev/null || echo not empty; mv x x/y/z 2>/dev/null || echo no; "
                  "rm -r b c s x; ls")
    assert result.out == "text\n2\ntext\ndangling\nnot empty\nno\n"


def test_unlinked_but_open(boot):
    assert boot("cd /tmp; echo kept >f; exec 3<f; rm f; cat <&3; exec 3<&-; ls").out == "kept\n"


def test_permissions(boot):
    result = boot("cd /tmp; echo secret >f; chmod 600 f; mkdir d; chmod 700 d; chmod 755 /tmp; "
                  "su user -c 'cat /tmp/f; ls /tmp/d; echo x >/tmp/new; echo x >/etc/new' 2>/dev/null; echo $?; rm -r f d")
    assert result.out == "1\n"


def test_names_for_files_of_others(boot):
    """As Linux with fs.protected_hardlinks=1, which is what Debian sets."""
    result = boot("cd /tmp; echo x >f; echo x >g; chmod 666 g; cp g s; chmod 4777 s; mkdir d; chmod 700 d; "
                  "su user -c 'cd /tmp; for name in f g s; do ln $name new-$name 2>&1; done; ln g f; ln g d/g; echo x >mine; ln mine also' 2>&1; "
                  "ls | tr '\n' ' '; ln f new-f; ls d; rm -r d f g s mine also new-*")
    assert result.out == ("ln: new-f: Operation not permitted\nln: new-s: Operation not permitted\nln: f: File exists\n"
                          "ln: d/g: Permission denied\nalso d f g mine new-g s ")


def test_sticky_directory(boot):
    result = boot("cd /tmp; echo x >f; chmod 666 f; su user -c 'rm -f /tmp/f; echo y >/tmp/mine && rm /tmp/mine && echo own' 2>/dev/null; cat f; rm f")
    assert result.out == "own\nx\n"


def test_directory_with_many_names(boot):
    result = boot("mkdir /tmp/d; cd /tmp/d; i=0; while [ $i -lt 500 ]; do : >name-$i; i=$((i+1)); done; ls | wc -l; cd /; rm -r /tmp/d; ls /tmp",
                  timeout=120)
    assert result.out == "500\n"


def test_no_space(boot):
    result = boot("dd if=/dev/zero of=/tmp/f bs=1M count=1000 2>&1 | grep -o 'No space'; rm /tmp/f; echo still >/tmp/g; cat /tmp/g; rm /tmp/g",
                  mem=128, timeout=120, leak_check=False)
    assert result.out == "No space\nstill\n"


def test_changed_program_runs(boot):
    """A file that programs have been started from can be replaced and changed."""
    result = boot("cp /bin/busybox /tmp/busybox; cd /tmp; ./busybox echo one; echo >>busybox; ./busybox echo two; "
                  "cp /bin/busybox .; ./busybox echo three; rm busybox")
    assert result.out == "one\ntwo\nthree\n"


def test_files_of_the_archive(boot):
    result = boot("cat /etc/hostname; ls -d /bin/sh /usr/bin/sh; cat /added; stat -c %a /tmp", add={"/added": "by the test\n"})
    assert result.out == "bardo\n/bin/sh\n/usr/bin/sh\nby the test\n1777\n"
