"""The sharpness measures as whoever ranks them sees them. Imports no torch."""

from icc_cli.catalog import About

SETTINGS = ("target", "method", "batch_norm", "samples", "tolerance", "ascent_steps", "seed")

INV_SIGMA = About("inv_sigma", with_accuracy=-1, symbol=r"$1/\sigma'$", settings=SETTINGS)
INV_ALPHA = About("inv_alpha", with_accuracy=-1, symbol=r"$1/\alpha'$", settings=SETTINGS)
INV_SIGMA_KERNELS = About("inv_sigma_kernels", with_accuracy=-1, symbol=r"$1/\sigma''$", settings=SETTINGS)
INV_ALPHA_KERNELS = About("inv_alpha_kernels", with_accuracy=-1, symbol=r"$1/\alpha''$", settings=SETTINGS)
