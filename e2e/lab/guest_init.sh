#!/bin/sh
# Process 1 of the guest. $LAB_JOB is a folder on the host, mounted here as /run/job:
#   modules/   module tree for `modprobe -d`        modules.list  what to load
#   start      the shell script to run as guest root, with stdout/stderr on ttyS0/ttyS1
#   status     written at the end: exit status of `start`
# /run is a tmpfs of the guest's own; everything else written lands on the host.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -n -t proc proc /proc
mount -n -t sysfs sysfs /sys
mount -n -t tmpfs -o mode=755 tmpfs /run
mountpoint -q /dev || mount -t devtmpfs devtmpfs /dev
mkdir -p /run/job /run/netns /run/lock /run/tmp /dev/pts /dev/shm
chmod 1777 /run/lock /run/tmp
mount -n -t devpts devpts /dev/pts
mount -n -t tmpfs tmpfs /dev/shm
ln -sf /proc/self/fd /dev/fd
# A mount of its own: the folder is often in /dev/shm, which the guest's own /dev hides.
mount -n -t hostfs -o "$LAB_JOB" job /run/job
ip link set lo up

# The kernel asks this program for modules it misses; there is no /lib/modules to read them from.
printf '#!/bin/sh\nexec modprobe -d /run/job/modules "$@"\n' > /run/modprobe
chmod 755 /run/modprobe
echo /run/modprobe > /proc/sys/kernel/modprobe
xargs modprobe -d /run/job/modules -a < /run/job/modules.list

stty raw -echo < /dev/ttyS0; stty raw -echo < /dev/ttyS1
# A session of its own, so that no serial line becomes its terminal and sends it hang-ups.
setsid /bin/sh /run/job/start < /dev/null > /dev/ttyS0 2> /dev/ttyS1
echo $? > /run/job/status
# Let the lines drain before the power goes.
stty raw < /dev/ttyS0; stty raw < /dev/ttyS1
echo o > /proc/sysrq-trigger
while :; do sleep 1; done
