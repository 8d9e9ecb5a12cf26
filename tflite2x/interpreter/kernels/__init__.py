# SPDX-License-Identifier: Apache-2.0
"""The kernels, one module per family of operators."""
