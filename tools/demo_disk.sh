# SPDX-License-Identifier: BSD-2-Clause
# The disk job inside the system: raw reads, then the file system on the same disk: reads, writes, a thousand small files. As tools/demo starts it:
#
#     size=MB sh /etc/guest/demo_disk.sh DEVICE SERVICE SUM LAST DEATHS LIMIT KILL...
export size
device=/dev/$1
shift
# (there is no file server before something is mounted)
[ $1 = ext4 ] || sh /etc/guest/demo.sh raw $device "$@"
mkdir -p /mnt
mount -t ext4 $device /mnt || exit 1
sh /etc/guest/demo.sh read /mnt/file "$@"
sh /etc/guest/demo.sh write /mnt/file "$@"
mkdir /mnt/small
n=0
while [ $n -lt 1000 ]; do
    echo "small file $n" >/mnt/small/$n
    n=$((n + 1))
done
sync
umount /mnt
