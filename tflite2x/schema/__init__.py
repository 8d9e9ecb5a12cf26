# SPDX-License-Identifier: Apache-2.0
"""The TFLite schema as typed Python: enums, one dataclass per table, the codec, flexbuffers."""
