#!/bin/bash
# From the images to the records of this study: six to twelve hours on two cores. Each step goes on from where it was stopped.
#
#     studies/cifar100-superclasses/run.sh WORK DATA [ICC]
#
# WORK is the folder for everything that is made (8 GB), DATA a data set as `icc train --data` takes it with its
# hierarchy: an npz:FILE of CIFAR-100's images (test_images), labels of the 20 superclasses (test_labels) and sublabels
# of the 100 classes (test_sublabels); ICC the command, icc by default.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1" && cd "$1"
data=$2
icc=${3:-icc}

for set in "" -seed1; do
    $icc train --grid "$here/grid$set.toml" --data "$data" -o "ckpts$set" --precision bfloat16 --jobs 2 \
        --save-epochs 0,1,2,4,8,12,16,24
    $icc extract "ckpts$set" -o "acts$set"
    $icc measure "acts$set" --layer-k 5 --all-k --per-site -o "results$set" --jobs 2
    $icc measure "acts$set" --layer-k 5 --convention reference -o "reference$set" --jobs 2
done
$icc sharpness ckpts --max-samples 2000 -o sharpness --jobs 2

# Figure 6: three networks of the second seed along their training.
for kind in drop0-w1-d1 drop0.1-w1-d1 drop0-w1.5-d1; do
    for ckpt in ckpts-seed1*/wrn-$kind-lr0.2-bs150-wd0-*.pt; do
        $icc extract "$ckpt" -o acts-epochs
    done
done
$icc measure acts-epochs --layer-k 5 -o results-epochs --jobs 2

python=$(dirname "$(command -v "$icc")")/python
"$python" "$here/c4_share.py" acts > c4-share.csv
"$python" "$here/collect.py" .
# Figure 7 needs activations, which are too large for the repository.
$icc plot neurons acts-seed1/wrn-drop0-w1-d1-lr0.2-bs150-wd0-*.h5 -o "$here/figures/neurons.png"
