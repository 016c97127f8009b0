#!/bin/sh
# First process of the namespaces that AsteriskTree.start makes: it lends the run's folder and a /dev and /proc to the
# tree, then starts Asterisk in it. It stays root and stays alive, because the kernel forgets a parent-death signal when
# a process changes its user; when this process dies, the kernel ends all others in its PID namespace and drops the
# mounts with the last of them. Usage: inside.sh TREE RUN_FOLDER
set -eu
tree=$1
run=$2

mount --bind "$run" "$tree/srv"
mount --rbind /dev "$tree/dev"
mount -t proc proc "$tree/proc"

# Nothing of the caller's environment reaches Asterisk; records carry the time of the tree's own /etc/localtime.
chroot "$tree" /usr/bin/env -i PATH=/usr/sbin:/usr/bin LANG=C.UTF-8 TZ=Europe/Brussels \
    asterisk -f -C /srv/etc/asterisk.conf -U asterisk -G asterisk &
wait "$!"
