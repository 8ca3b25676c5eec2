"""Typical mistakes: a command line, its exit code, and words of the next step that its message must name.

Each is run in a folder that holds `ckpts` (checkpoints of `icc train`), `plain` (bare state dicts and their factory in
nets.py), `acts` (caches), `results` (records with k = 30), `images`, `empty`, arrays d.npz, and table.csv.
"""

WRN = "--model nets.py:wrn"
DATA = "--data npz:d.npz --mean 0.4 --std 0.3"
PLAIN = "extract plain/net.pt -o new"

MISTAKES = [
    # the file of another stage
    ("rank ckpts/wrn.pt", 4, "It is a checkpoint: `icc extract` makes a cache of it, and `icc measure` a record."),
    ("rank ckpts", 2, "It holds a checkpoint: `icc extract` makes a cache of it, and `icc measure` a record."),
    ("rank acts/wrn.h5", 4, "It is a cache: `icc measure` makes a record of it."),
    ("rank acts", 2, "It holds a cache: `icc measure` makes a record of it."),
    ("measure results/wrn.measure.json", 3, "Give it to icc rank."),
    ("measure results", 2, "It holds a record: `icc rank` takes it."),
    ("measure plain", 2, "Name it with --model"),
    ("measure acts/wrn.h5 --model vgg", 2, "is a cache, and --model is for checkpoints. Leave it out."),
    ("extract results/wrn.measure.json -o new", 3, "Give it to icc rank."),
    ("extract results -o new", 2, "It holds a record: `icc rank` takes it."),
    ("extract acts/wrn.h5 -o new", 3, "Give it to icc measure."),
    ("sharpness acts", 2, "It holds a cache: `icc measure` takes it."),
    ("extract table.csv -o new", 3, "is text, not a checkpoint. Name the file of the weights."),
    ("plot scatter acts", 2, "`icc measure` makes a record of it."),
    ("plot neurons results/wrn.measure.json", 4, "It is a record"),
    ("report ckpts -o r.html", 2, "`icc extract` makes a cache of it"),
    ("inspect ckpts", 3, "Name one file of it."),
    ("inspect acts", 2, "Name one file of it: acts/vgg-fast.h5"),
    ("inspect results", 2, "Name one file of it: results/vgg-fast.measure.json"),
    # data and normalisation
    (f"{PLAIN} {WRN} --data d.npz", 2, "Write --data npz:d.npz."),
    (f"{PLAIN} {WRN} --data images", 2, "Write --data folder:images."),
    (f"{PLAIN} {WRN} --data nets.py", 2, "Write --data nets.py:FUNCTION."),
    (f"{PLAIN} {WRN} --data CIFAR-10", 2, "Did you mean 'cifar10'"),
    (f"{PLAIN} {WRN} --data npz:absent.npz", 2, "there is no file absent.npz"),
    (f"{PLAIN} {WRN}", 2, "Name them with --data."),
    (f"{PLAIN} {WRN} --data npz:d.npz --mean 125.3 --std 63", 2, "divided by 255: --mean 0.491."),
    (f"{PLAIN} {WRN} --data npz:d.npz --mean 0.4 --std 63", 2, "divided by 255: --std 0.247."),
    (f"{PLAIN} {WRN} --data npz:d.npz --mean '0.4 0.4' --std 0.3", 2, "numbers separated by commas"),
    (f"{PLAIN} {WRN} --data npz:d.npz --mean 0.4,0.4,0.4 --std 0.3", 2, "has 3 values, and the images have 1 channel"),
    # models
    (f"{PLAIN} {DATA}", 2, "Name it with --model"),
    (f"{PLAIN} --model nets.py {DATA}", 2, "Write --model nets.py:NAME"),
    (f"{PLAIN} --model nets.py:wnr {DATA}", 2, "It defines wrn."),
    (f"{PLAIN} --model net.py:wrn {DATA}", 2, "there is no Python file net.py"),
    (f"{PLAIN} --model resnet18 {DATA}", 2, "Did you mean 'torchvision:resnet18' or 'timm:resnet18'?"),
    (f"{PLAIN} --model torchvision:resnet19 {DATA}", 2, "Did you mean 'resnet18'"),
    (f"{PLAIN} {WRN} --model-arg base_width=8 {DATA}", 3, "nets.py:wrn with base_width=8: 101 entries differ. Check"),
    (f"{PLAIN} {WRN} --model-arg width=8 {DATA}", 2, "It takes base_width=4."),
    (f"{PLAIN} {WRN} --model-arg base_width:8 {DATA}", 2, "must be key=value"),
    ("extract ckpts/wrn.pt -o new --model-arg base_width=8", 2, "Name the model with --model."),
    # where and how
    ("extract ckpts/wrn.pt -o new --device gpu", 2, "Did you mean 'cuda'?"),
    ("extract ckpts/wrn.pt -o new --activations relus", 2, "relu, relu6"),
    ("extract ckpts/wrn.pt -o new.json", 2, "Name a folder or an .h5 file with -o."),
    ("measure acts -o new.csv", 2, "Name a folder or a .json file with -o."),
    ("extract absent -o new", 2, "there is no file absent"),
    # measures
    ("measure acts --measure c5", 2, "Did you mean 'c4'"),
    ("measure acts --measure geometri", 2, "Did you mean 'geometry'?"),
    ("measure acts --measure inv_sigma", 2, "See `icc sharpness`."),
    ("measure acts/wrn.h5 --k 5 -o results", 2, "was made with k = 30; it is kept. Name another folder with -o"),
    ("measure acts/wrn.h5 --measure c3 -o results", 2, "holds c1, c2, c4 too; it is kept. Name another folder"),
    ("measure acts --k 0", 2, "a number of at least 1, or auto"),
    ("sharpness ckpts/wrn.pt --target accuracy:90", 2, "X between 0 and 1"),
    ("sharpness ckpts/wrn.pt --mode worse", 2, "random and worst"),
    # rankings
    ("rank results --target test_acc", 2, "Did you mean 'test_accuracy'?"),
    ("rank results --measures c9", 2, "Did you mean 'c4'"),
    ("rank results --score kendal", 2, "Did you mean 'kendall'?"),
    ("rank results --direction c9=-1", 2, "Did you mean 'c4'"),
    ("rank results --by c1", 2, "Give --checkpoints too."),
    ("rank results --hparams lrr", 2, "Did you mean 'lr'?"),
    ("rank results --runs absent.csv", 2, "there is no file absent.csv"),
    ("rank results -o out.xlsx", 2, "Name a file that ends in .csv"),
    ("rank table.csv", 2, "Name columns with --measures: checkpoint, lr, acc, m"),
    ("plot scater results", 2, "Did you mean 'scatter'?"),
    ("plot k results", 2, "Run `icc measure --all-k`"),
    ("plot scatter results -o figure.jpg", 2, "Name a file that ends in .pdf"),
    ("report results -o report.pdf", 2, "Name a .html file with -o."),
    ("train --preset smok", 2, "Did you mean 'smoke'?"),
]
