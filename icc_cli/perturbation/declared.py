"""The sharpness measures as whoever ranks them sees them. Imports no torch."""

from icc_cli.catalog import About

SETTINGS = ("target", "method", "batch_norm", "samples", "tolerance", "ascent_steps", "seed")

INV_SIGMA = About("inv_sigma", -1, r"$1/\sigma'$", SETTINGS)
INV_ALPHA = About("inv_alpha", -1, r"$1/\alpha'$", SETTINGS)
INV_SIGMA_KERNELS = About("inv_sigma_kernels", -1, r"$1/\sigma''$", SETTINGS)
INV_ALPHA_KERNELS = About("inv_alpha_kernels", -1, r"$1/\alpha''$", SETTINGS)
