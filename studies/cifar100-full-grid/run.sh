#!/bin/bash
# From CIFAR-100 to the trained networks of this study and what is known of them. On two cores about two days, reckoned from
# the 18 seconds that an epoch of the smallest network takes on one. Every step goes on from where it was stopped.
#
#     studies/cifar100-full-grid/run.sh WORK DATA [ICC]
#
# WORK is the folder for everything that is made; DATA an .npz of CIFAR-100 with images, labels (the 20 superclasses) and
# sublabels (the 100 classes), the same with the prefix test_, label_names and sublabel_names; ICC the command, icc by default.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
data=$(realpath "$2")
icc=${3:-icc}
python=${PYTHON:-$(dirname "$(command -v "$icc")")/python}
mkdir -p "$1" && cd "$1"

[ -e subset.npz ] || "$python" "$here/subset.py" "$data" subset.npz
for set in "" -seed1; do
    $icc train --grid "$here/grid$set.toml" --data npz:subset.npz -o "ckpts$set" --precision float32
    "$python" "$here/collect.py" .
done
