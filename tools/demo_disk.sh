# SPDX-License-Identifier: BSD-2-Clause
# The disk job inside the system: raw reads, then the file system on the same disk: reads, writes, a thousand small files. As tools/demo starts it:
#
#     size=MB ops="raw read write" sh /etc/guest/demo_disk.sh DEVICE SERVICE SUM LAST DEATHS LIMIT KILL...
export size
device=/dev/$1
shift
mkdir -p /mnt
case $ops in
raw*) sh /etc/guest/demo.sh raw $device "$@" ;;
esac
mount -t ext4 $device /mnt || exit 1
for op in ${ops#raw}; do
    sh /etc/guest/demo.sh $op /mnt/file "$@"
done
mkdir /mnt/small
n=0
while [ $n -lt 1000 ]; do
    echo "small file $n" >/mnt/small/$n
    n=$((n + 1))
done
sync
umount /mnt
