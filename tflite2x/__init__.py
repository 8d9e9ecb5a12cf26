# SPDX-License-Identifier: Apache-2.0
"""Load, rewrite, verify and write TFLite models."""
