# SPDX-License-Identifier: Apache-2.0
"""Every table of the TFLite schema as a dataclass; fields in the order of their slots.

Made by scripts/gen_schema.py; do not edit.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from tflite2x.schema.enums import (
    ActivationFunctionType,
    BuiltinOperator,
    CombinerType,
    CustomOptionsFormat,
    DimensionType,
    FullyConnectedOptionsWeightsFormat,
    LSHProjectionType,
    LSTMKernelType,
    MirrorPadMode,
    Padding,
    ReduceWindowFunction,
    RngAlgorithm,
    StablehloComparisonDirection,
    StablehloComparisonType,
    StablehloPrecisionConfig,
    TensorType,
)
from tflite2x.schema.table import (
    ARRAY,
    BYTES,
    ENUM,
    SCALAR,
    STRING,
    TABLE,
    TABLES,
    UNION,
    VECTOR,
    Bytes,
    Field,
    Table,
)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class CustomQuantization(Table):
    """Quantization in a format that TFLite does not define.

    Attributes:
        custom: Uninterpreted bytes.
    """

    custom: Bytes | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("custom", BYTES, "B", align=16),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BlockwiseQuantization(Table):
    """One scale for each block of elements; scales and zero points are tensors of their own.

    Attributes:
        scales: Index of the tensor that holds the scales.
        zero_points: Index of the tensor that holds the zero points.
        block_size: Number of elements along the quantized axis that share one scale.
    """

    scales: int = 0
    zero_points: int = 0
    block_size: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("scales", SCALAR, "i", default=0),
        Field("zero_points", SCALAR, "i", default=0),
        Field("block_size", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class MultiAxisQuantization(Table):
    """Scales along several axes at once; scales and zero points are tensors of their own.

    Attributes:
        scales: Index of the tensor that holds the scales.
        zero_points: Index of the tensor that holds the zero points.
        block_size: Number of elements that share one scale.
        quantized_dimensions: The axes that have scales of their own.
    """

    scales: int = 0
    zero_points: int = 0
    block_size: int = 0
    quantized_dimensions: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("scales", SCALAR, "i", default=0),
        Field("zero_points", SCALAR, "i", default=0),
        Field("block_size", SCALAR, "i", default=0),
        Field("quantized_dimensions", VECTOR, "i"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class QuantizationParameters(Table):
    """real = scale * (quantized - zero_point), for the whole tensor or for slices of one axis.

    Attributes:
        min: Smallest real values seen, per channel; information only.
        max: Largest real values seen, per channel; information only.
        scale: Real size of one quantized step, one value or one for each channel.
        zero_point: Quantized value of real 0, one value or one for each channel.
        details_type: Type number of the union details; set from the value when written.
        details: Parameters of other quantization schemes.
        quantized_dimension: Axis that per-channel scales belong to.
    """

    min: NDArray[Any] | None = None
    max: NDArray[Any] | None = None
    scale: NDArray[Any] | None = None
    zero_point: Sequence[int] | None = None
    details_type: int = 0
    details: CustomQuantization | BlockwiseQuantization | MultiAxisQuantization | None = None
    quantized_dimension: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("min", ARRAY, "f"),
        Field("max", ARRAY, "f"),
        Field("scale", ARRAY, "f"),
        Field("zero_point", VECTOR, "q"),
        Field("details_type", SCALAR, "B"),
        Field("details", UNION, arg="QuantizationDetails"),
        Field("quantized_dimension", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Int32Vector(Table):
    """Index vector with 32-bit elements.

    Attributes:
        values: The elements.
    """

    values: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("values", VECTOR, "i"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Uint16Vector(Table):
    """Index vector with 16-bit elements.

    Attributes:
        values: The elements.
    """

    values: NDArray[Any] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("values", ARRAY, "H", align=4),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Uint8Vector(Table):
    """Index vector with 8-bit elements.

    Attributes:
        values: The elements.
    """

    values: Bytes | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("values", BYTES, "B", align=4),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DimensionMetadata(Table):
    """How one dimension of a sparse tensor is stored.

    Attributes:
        format: Dense or compressed.
        dense_size: Length of a dense dimension.
        array_segments_type: Type number of the union array_segments; set from the value when written.
        array_segments: Segment starts of a compressed dimension.
        array_indices_type: Type number of the union array_indices; set from the value when written.
        array_indices: Indices of a compressed dimension.
    """

    format: DimensionType = DimensionType.DENSE
    dense_size: int = 0
    array_segments_type: int = 0
    array_segments: Int32Vector | Uint16Vector | Uint8Vector | None = None
    array_indices_type: int = 0
    array_indices: Int32Vector | Uint16Vector | Uint8Vector | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("format", ENUM, "b", DimensionType, DimensionType.DENSE),
        Field("dense_size", SCALAR, "i", default=0),
        Field("array_segments_type", SCALAR, "B"),
        Field("array_segments", UNION, arg="SparseIndexVector"),
        Field("array_indices_type", SCALAR, "B"),
        Field("array_indices", UNION, arg="SparseIndexVector"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SparsityParameters(Table):
    """Layout of a sparse constant.

    Attributes:
        traversal_order: Order in which the dimensions are stored.
        block_map: Which dimensions are split into blocks.
        dim_metadata: One entry for each dimension in storage order.
    """

    traversal_order: Sequence[int] | None = None
    block_map: Sequence[int] | None = None
    dim_metadata: list[DimensionMetadata] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("traversal_order", VECTOR, "i"),
        Field("block_map", VECTOR, "i"),
        Field("dim_metadata", TABLES, arg="DimensionMetadata"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class VariantSubType(Table):
    """What a tensor of type VARIANT holds.

    Attributes:
        shape: Length of each dimension; absent when unknown.
        type: Element type.
        has_rank: Whether the rank is known (an empty shape then means a scalar).
    """

    shape: Sequence[int] | None = None
    type: TensorType = TensorType.FLOAT32
    has_rank: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("shape", VECTOR, "i"),
        Field("type", ENUM, "b", TensorType, TensorType.FLOAT32),
        Field("has_rank", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Tensor(Table):
    """One tensor of a subgraph.

    Attributes:
        shape: Length of each dimension; absent when unknown.
        type: Element type.
        buffer: Index of the buffer with the data.
        name: Name.
        quantization: Quantization parameters.
        is_variable: Whether the tensor keeps its value between calls.
        sparsity: Layout when the constant is sparse.
        shape_signature: Shape in which -1 marks dimensions that are unknown before the model runs.
        has_rank: Whether the rank is known (an empty shape then means a scalar).
        variant_tensors: What a VARIANT tensor holds.
        external_buffer: Id of the external buffer with the data; 0 for none.
    """

    shape: Sequence[int] | None = None
    type: TensorType = TensorType.FLOAT32
    buffer: int = 0
    name: str | None = None
    quantization: QuantizationParameters | None = None
    is_variable: bool = False
    sparsity: SparsityParameters | None = None
    shape_signature: Sequence[int] | None = None
    has_rank: bool = False
    variant_tensors: list[VariantSubType] | None = None
    external_buffer: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("shape", VECTOR, "i"),
        Field("type", ENUM, "b", TensorType, TensorType.FLOAT32),
        Field("buffer", SCALAR, "I", default=0),
        Field("name", STRING),
        Field("quantization", TABLE, arg="QuantizationParameters"),
        Field("is_variable", SCALAR, "?", default=False),
        Field("sparsity", TABLE, arg="SparsityParameters"),
        Field("shape_signature", VECTOR, "i"),
        Field("has_rank", SCALAR, "?", default=False),
        Field("variant_tensors", TABLES, arg="VariantSubType"),
        Field("external_buffer", SCALAR, "I", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloGatherOptions(Table):
    """Options of STABLEHLO_GATHER.

    Attributes:
        offset_dims: Result dimensions that come from the slices.
        collapsed_slice_dims: Slice dimensions that are dropped.
        start_index_map: Which operand dimension each index component addresses.
        index_vector_dim: Dimension of the index tensor that holds index components.
        slice_sizes: Length of the slices along each dimension.
        indices_are_sorted: Promise that the indices are sorted.
    """

    offset_dims: Sequence[int] | None = None
    collapsed_slice_dims: Sequence[int] | None = None
    start_index_map: Sequence[int] | None = None
    index_vector_dim: int = 0
    slice_sizes: Sequence[int] | None = None
    indices_are_sorted: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("offset_dims", VECTOR, "q"),
        Field("collapsed_slice_dims", VECTOR, "q"),
        Field("start_index_map", VECTOR, "q"),
        Field("index_vector_dim", SCALAR, "q", default=0),
        Field("slice_sizes", VECTOR, "q"),
        Field("indices_are_sorted", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloTransposeOptions(Table):
    """Options of STABLEHLO_TRANSPOSE.

    Attributes:
        permutation: Order of the dimensions.
    """

    permutation: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("permutation", VECTOR, "q"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloDotGeneralOptions(Table):
    """Options of STABLEHLO_DOT_GENERAL.

    Attributes:
        lhs_batching_dimensions: Batch dimensions of the left operand.
        rhs_batching_dimensions: Batch dimensions of the right operand.
        lhs_contracting_dimensions: Summed dimensions of the left operand.
        rhs_contracting_dimensions: Summed dimensions of the right operand.
        precision_config: Precision asked for, per operand.
    """

    lhs_batching_dimensions: Sequence[int] | None = None
    rhs_batching_dimensions: Sequence[int] | None = None
    lhs_contracting_dimensions: Sequence[int] | None = None
    rhs_contracting_dimensions: Sequence[int] | None = None
    precision_config: Sequence[StablehloPrecisionConfig] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("lhs_batching_dimensions", VECTOR, "q"),
        Field("rhs_batching_dimensions", VECTOR, "q"),
        Field("lhs_contracting_dimensions", VECTOR, "q"),
        Field("rhs_contracting_dimensions", VECTOR, "q"),
        Field("precision_config", VECTOR, "I", StablehloPrecisionConfig),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloReduceWindowOptions(Table):
    """Options of STABLEHLO_REDUCE_WINDOW.

    Attributes:
        window_dimensions: Size of the window.
        window_strides: Step of the window.
        base_dilations: Spacing of the operand's elements.
        window_dilations: Spacing of the window's elements.
        padding: Low and high padding of each dimension.
        body_subgraph_index: Subgraph that is executed.
    """

    window_dimensions: Sequence[int] | None = None
    window_strides: Sequence[int] | None = None
    base_dilations: Sequence[int] | None = None
    window_dilations: Sequence[int] | None = None
    padding: Sequence[int] | None = None
    body_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("window_dimensions", VECTOR, "q"),
        Field("window_strides", VECTOR, "q"),
        Field("base_dilations", VECTOR, "q"),
        Field("window_dilations", VECTOR, "q"),
        Field("padding", VECTOR, "q"),
        Field("body_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloWhileOptions(Table):
    """Options of STABLEHLO_WHILE.

    Attributes:
        cond_subgraph_index: Subgraph that decides whether the loop goes on.
        body_subgraph_index: Subgraph of the loop's body.
    """

    cond_subgraph_index: int = 0
    body_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("cond_subgraph_index", SCALAR, "i", default=0),
        Field("body_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloSortOptions(Table):
    """Options of STABLEHLO_SORT.

    Attributes:
        dimension: The dimension worked on.
        is_stable: Whether equal elements keep their order.
        comparator_subgraph_index: Subgraph that compares two elements.
    """

    dimension: int = 0
    is_stable: bool = False
    comparator_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("dimension", SCALAR, "q", default=0),
        Field("is_stable", SCALAR, "?", default=False),
        Field("comparator_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloConcatenateOptions(Table):
    """Options of STABLEHLO_CONCATENATE.

    Attributes:
        dimension: The dimension worked on.
    """

    dimension: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("dimension", SCALAR, "q", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloBroadcastInDimOptions(Table):
    """Options of STABLEHLO_BROADCAST_IN_DIM.

    Attributes:
        broadcast_dimensions: Result dimension of each operand dimension.
    """

    broadcast_dimensions: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("broadcast_dimensions", VECTOR, "q"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloCompareOptions(Table):
    """Options of STABLEHLO_COMPARE.

    Attributes:
        comparison_direction: Which comparison.
        compare_type: How the operands are to be read.
    """

    comparison_direction: StablehloComparisonDirection = StablehloComparisonDirection.STABLEHLO_COMPARISON_DIRECTION_EQ
    compare_type: StablehloComparisonType = StablehloComparisonType.STABLEHLO_COMPARISON_TYPE_NOTYPE

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field(
            "comparison_direction",
            ENUM,
            "I",
            StablehloComparisonDirection,
            StablehloComparisonDirection.STABLEHLO_COMPARISON_DIRECTION_EQ,
        ),
        Field(
            "compare_type", ENUM, "I", StablehloComparisonType, StablehloComparisonType.STABLEHLO_COMPARISON_TYPE_NOTYPE
        ),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloDynamicSliceOptions(Table):
    """Options of STABLEHLO_DYNAMIC_SLICE.

    Attributes:
        slice_sizes: Length of the slices along each dimension.
    """

    slice_sizes: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("slice_sizes", VECTOR, "q"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloPadOptions(Table):
    """Options of STABLEHLO_PAD.

    Attributes:
        edge_padding_low: Padding before the first element of each dimension.
        edge_padding_high: Padding behind the last element of each dimension.
        interior_padding: Padding between elements of each dimension.
    """

    edge_padding_low: Sequence[int] | None = None
    edge_padding_high: Sequence[int] | None = None
    interior_padding: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("edge_padding_low", VECTOR, "q"),
        Field("edge_padding_high", VECTOR, "q"),
        Field("interior_padding", VECTOR, "q"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloIotaOptions(Table):
    """Options of STABLEHLO_IOTA.

    Attributes:
        iota_dimension: Dimension along which the values count up.
    """

    iota_dimension: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("iota_dimension", SCALAR, "q", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloCustomCallOptions(Table):
    """Options of STABLEHLO_CUSTOM_CALL.

    Attributes:
        call_target_name: Name of what is called.
        has_side_effect: Whether the call does more than compute its result.
        backend_config: Text for the callee.
        api_version: Version of the call convention.
        called_computations: Indices of subgraphs that the callee uses.
        custom_attributes: Flexbuffer with further attributes.
    """

    call_target_name: str | None = None
    has_side_effect: bool = False
    backend_config: str | None = None
    api_version: int = 0
    called_computations: Sequence[int] | None = None
    custom_attributes: Bytes | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("call_target_name", STRING),
        Field("has_side_effect", SCALAR, "?", default=False),
        Field("backend_config", STRING),
        Field("api_version", SCALAR, "i", default=0),
        Field("called_computations", VECTOR, "i"),
        Field("custom_attributes", BYTES, "B"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloReduceOptions(Table):
    """Options of STABLEHLO_REDUCE.

    Attributes:
        dimensions: Dimensions worked on.
        body_subgraph_index: Subgraph that is executed.
    """

    dimensions: Sequence[int] | None = None
    body_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("dimensions", VECTOR, "q"),
        Field("body_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloSliceOptions(Table):
    """Options of STABLEHLO_SLICE.

    Attributes:
        start_indices: First index of each dimension.
        limit_indices: End index of each dimension, exclusive.
        strides: Step of each dimension.
    """

    start_indices: Sequence[int] | None = None
    limit_indices: Sequence[int] | None = None
    strides: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("start_indices", VECTOR, "q"),
        Field("limit_indices", VECTOR, "q"),
        Field("strides", VECTOR, "q"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloConvolutionOptions(Table):
    """Options of STABLEHLO_CONVOLUTION.

    Attributes:
        window_strides: Step of the window.
        padding: Low and high padding of each dimension.
        lhs_dilation: Spacing of the input's elements.
        rhs_dilation: Spacing of the kernel's elements.
        window_reversal: Whether the kernel is reversed, per dimension.
        input_batch_dimension: Batch dimension of the input.
        input_feature_dimension: Channel dimension of the input.
        input_spatial_dimensions: Spatial dimensions of the input.
        kernel_input_feature_dimension: Input channel dimension of the kernel.
        kernel_output_feature_dimension: Output channel dimension of the kernel.
        kernel_spatial_dimensions: Spatial dimensions of the kernel.
        output_batch_dimension: Batch dimension of the output.
        output_feature_dimension: Channel dimension of the output.
        output_spatial_dimensions: Spatial dimensions of the output.
        feature_group_count: Number of channel groups.
        batch_group_count: Number of batch groups.
        precision_config: Precision asked for, per operand.
    """

    window_strides: Sequence[int] | None = None
    padding: Sequence[int] | None = None
    lhs_dilation: Sequence[int] | None = None
    rhs_dilation: Sequence[int] | None = None
    window_reversal: Sequence[bool] | None = None
    input_batch_dimension: int = 0
    input_feature_dimension: int = 0
    input_spatial_dimensions: Sequence[int] | None = None
    kernel_input_feature_dimension: int = 0
    kernel_output_feature_dimension: int = 0
    kernel_spatial_dimensions: Sequence[int] | None = None
    output_batch_dimension: int = 0
    output_feature_dimension: int = 0
    output_spatial_dimensions: Sequence[int] | None = None
    feature_group_count: int = 0
    batch_group_count: int = 0
    precision_config: Sequence[StablehloPrecisionConfig] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("window_strides", VECTOR, "q"),
        Field("padding", VECTOR, "q"),
        Field("lhs_dilation", VECTOR, "q"),
        Field("rhs_dilation", VECTOR, "q"),
        Field("window_reversal", VECTOR, "?"),
        Field("input_batch_dimension", SCALAR, "q", default=0),
        Field("input_feature_dimension", SCALAR, "q", default=0),
        Field("input_spatial_dimensions", VECTOR, "q"),
        Field("kernel_input_feature_dimension", SCALAR, "q", default=0),
        Field("kernel_output_feature_dimension", SCALAR, "q", default=0),
        Field("kernel_spatial_dimensions", VECTOR, "q"),
        Field("output_batch_dimension", SCALAR, "q", default=0),
        Field("output_feature_dimension", SCALAR, "q", default=0),
        Field("output_spatial_dimensions", VECTOR, "q"),
        Field("feature_group_count", SCALAR, "q", default=0),
        Field("batch_group_count", SCALAR, "q", default=0),
        Field("precision_config", VECTOR, "I", StablehloPrecisionConfig),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloScatterOptions(Table):
    """Options of STABLEHLO_SCATTER.

    Attributes:
        indices_are_sorted: Promise that the indices are sorted.
        update_window_dims: Dimensions of the updates that are windows.
        inserted_window_dims: Operand dimensions that the windows lack.
        scatter_dims_to_operand_dims: Which operand dimension each index component addresses.
        index_vector_dim: Dimension of the index tensor that holds index components.
        unique_indices: Promise that no index occurs twice.
        update_computation_subgraph_index: Subgraph that combines old and new elements.
    """

    indices_are_sorted: bool = False
    update_window_dims: Sequence[int] | None = None
    inserted_window_dims: Sequence[int] | None = None
    scatter_dims_to_operand_dims: Sequence[int] | None = None
    index_vector_dim: int = 0
    unique_indices: bool = False
    update_computation_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("indices_are_sorted", SCALAR, "?", default=False),
        Field("update_window_dims", VECTOR, "q"),
        Field("inserted_window_dims", VECTOR, "q"),
        Field("scatter_dims_to_operand_dims", VECTOR, "q"),
        Field("index_vector_dim", SCALAR, "q", default=0),
        Field("unique_indices", SCALAR, "?", default=False),
        Field("update_computation_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloCaseOptions(Table):
    """Options of STABLEHLO_CASE.

    Attributes:
        branch_subgraph_indices: Subgraphs of the branches.
    """

    branch_subgraph_indices: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("branch_subgraph_indices", VECTOR, "i"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloRngBitGeneratorOptions(Table):
    """Options of STABLEHLO_RNG_BIT_GENERATOR.

    Attributes:
        algorithm: Random number algorithm.
    """

    algorithm: RngAlgorithm = RngAlgorithm.DEFAULT

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("algorithm", ENUM, "b", RngAlgorithm, RngAlgorithm.DEFAULT),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Conv2DOptions(Table):
    """Options of CONV_2D.

    Attributes:
        padding: How the border is treated.
        stride_w: Horizontal step of the window, in elements.
        stride_h: Vertical step of the window, in elements.
        fused_activation_function: Activation applied to the result.
        dilation_w_factor: Horizontal spacing of the kernel's elements.
        dilation_h_factor: Vertical spacing of the kernel's elements.
        quantized_bias_type: Type of the bias in a quantized operator; FLOAT32 means the default.
    """

    padding: Padding = Padding.SAME
    stride_w: int = 0
    stride_h: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    dilation_w_factor: int = 1
    dilation_h_factor: int = 1
    quantized_bias_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("padding", ENUM, "b", Padding, Padding.SAME),
        Field("stride_w", SCALAR, "i", default=0),
        Field("stride_h", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("dilation_w_factor", SCALAR, "i", default=1),
        Field("dilation_h_factor", SCALAR, "i", default=1),
        Field("quantized_bias_type", ENUM, "b", TensorType, TensorType.FLOAT32),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Conv3DOptions(Table):
    """Options of CONV_3D, CONV_3D_TRANSPOSE.

    Attributes:
        padding: How the border is treated.
        stride_d: Step of the window in depth, in elements.
        stride_w: Horizontal step of the window, in elements.
        stride_h: Vertical step of the window, in elements.
        fused_activation_function: Activation applied to the result.
        dilation_d_factor: Spacing of the kernel's elements in depth.
        dilation_w_factor: Horizontal spacing of the kernel's elements.
        dilation_h_factor: Vertical spacing of the kernel's elements.
    """

    padding: Padding = Padding.SAME
    stride_d: int = 0
    stride_w: int = 0
    stride_h: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    dilation_d_factor: int = 1
    dilation_w_factor: int = 1
    dilation_h_factor: int = 1

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("padding", ENUM, "b", Padding, Padding.SAME),
        Field("stride_d", SCALAR, "i", default=0),
        Field("stride_w", SCALAR, "i", default=0),
        Field("stride_h", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("dilation_d_factor", SCALAR, "i", default=1),
        Field("dilation_w_factor", SCALAR, "i", default=1),
        Field("dilation_h_factor", SCALAR, "i", default=1),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Pool2DOptions(Table):
    """Options of AVERAGE_POOL_2D, MAX_POOL_2D, L2_POOL_2D.

    Attributes:
        padding: How the border is treated.
        stride_w: Horizontal step of the window, in elements.
        stride_h: Vertical step of the window, in elements.
        filter_width: Width of the window.
        filter_height: Height of the window.
        fused_activation_function: Activation applied to the result.
    """

    padding: Padding = Padding.SAME
    stride_w: int = 0
    stride_h: int = 0
    filter_width: int = 0
    filter_height: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("padding", ENUM, "b", Padding, Padding.SAME),
        Field("stride_w", SCALAR, "i", default=0),
        Field("stride_h", SCALAR, "i", default=0),
        Field("filter_width", SCALAR, "i", default=0),
        Field("filter_height", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DepthwiseConv2DOptions(Table):
    """Options of DEPTHWISE_CONV_2D.

    Attributes:
        padding: How the border is treated.
        stride_w: Horizontal step of the window, in elements.
        stride_h: Vertical step of the window, in elements.
        depth_multiplier: Output channels for each input channel; runtimes derive it from the shapes.
        fused_activation_function: Activation applied to the result.
        dilation_w_factor: Horizontal spacing of the kernel's elements.
        dilation_h_factor: Vertical spacing of the kernel's elements.
    """

    padding: Padding = Padding.SAME
    stride_w: int = 0
    stride_h: int = 0
    depth_multiplier: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    dilation_w_factor: int = 1
    dilation_h_factor: int = 1

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("padding", ENUM, "b", Padding, Padding.SAME),
        Field("stride_w", SCALAR, "i", default=0),
        Field("stride_h", SCALAR, "i", default=0),
        Field("depth_multiplier", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("dilation_w_factor", SCALAR, "i", default=1),
        Field("dilation_h_factor", SCALAR, "i", default=1),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ConcatEmbeddingsOptions(Table):
    """Options of CONCAT_EMBEDDINGS.

    Attributes:
        num_channels: Number of embeddings.
        num_columns_per_channel: Columns of each embedding.
        embedding_dim_per_channel: Length of each embedding.
    """

    num_channels: int = 0
    num_columns_per_channel: Sequence[int] | None = None
    embedding_dim_per_channel: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("num_channels", SCALAR, "i", default=0),
        Field("num_columns_per_channel", VECTOR, "i"),
        Field("embedding_dim_per_channel", VECTOR, "i"),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LSHProjectionOptions(Table):
    """Options of LSH_PROJECTION.

    Attributes:
        type: Sparse or dense projection.
    """

    type: LSHProjectionType = LSHProjectionType.UNKNOWN

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("type", ENUM, "b", LSHProjectionType, LSHProjectionType.UNKNOWN),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SVDFOptions(Table):
    """Options of SVDF.

    Attributes:
        rank: Number of filters that make up one unit.
        fused_activation_function: Activation applied to the result.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    rank: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("rank", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class RNNOptions(Table):
    """Options of RNN.

    Attributes:
        fused_activation_function: Activation applied to the result.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SequenceRNNOptions(Table):
    """Options of UNIDIRECTIONAL_SEQUENCE_RNN.

    Attributes:
        time_major: Whether time is the first dimension, before the batch.
        fused_activation_function: Activation applied to the result.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    time_major: bool = False
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("time_major", SCALAR, "?", default=False),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BidirectionalSequenceRNNOptions(Table):
    """Options of BIDIRECTIONAL_SEQUENCE_RNN.

    Attributes:
        time_major: Whether time is the first dimension, before the batch.
        fused_activation_function: Activation applied to the result.
        merge_outputs: Whether forward and backward results share one output.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    time_major: bool = False
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    merge_outputs: bool = False
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("time_major", SCALAR, "?", default=False),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("merge_outputs", SCALAR, "?", default=False),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class FullyConnectedOptions(Table):
    """Options of FULLY_CONNECTED.

    Attributes:
        fused_activation_function: Activation applied to the result.
        weights_format: Order of the weights in memory.
        keep_num_dims: Whether the output keeps all dimensions of the input but the last.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
        quantized_bias_type: Type of the bias in a quantized operator; FLOAT32 means the default.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    weights_format: FullyConnectedOptionsWeightsFormat = FullyConnectedOptionsWeightsFormat.DEFAULT
    keep_num_dims: bool = False
    asymmetric_quantize_inputs: bool = False
    quantized_bias_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field(
            "weights_format", ENUM, "b", FullyConnectedOptionsWeightsFormat, FullyConnectedOptionsWeightsFormat.DEFAULT
        ),
        Field("keep_num_dims", SCALAR, "?", default=False),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
        Field("quantized_bias_type", ENUM, "b", TensorType, TensorType.FLOAT32),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SoftmaxOptions(Table):
    """Options of SOFTMAX.

    Attributes:
        beta: Factor in the exponent.
    """

    beta: float = 0.0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("beta", SCALAR, "f", default=0.0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ConcatenationOptions(Table):
    """Options of CONCATENATION.

    Attributes:
        axis: The dimension worked on; negative values count from the end.
        fused_activation_function: Activation applied to the result.
    """

    axis: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("axis", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class AddOptions(Table):
    """Options of ADD.

    Attributes:
        fused_activation_function: Activation applied to the result.
        pot_scale_int16: Whether 16-bit tensors have scales that are powers of two.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    pot_scale_int16: bool = True

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("pot_scale_int16", SCALAR, "?", default=True),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class MulOptions(Table):
    """Options of MUL.

    Attributes:
        fused_activation_function: Activation applied to the result.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class L2NormOptions(Table):
    """Options of L2_NORMALIZATION.

    Attributes:
        fused_activation_function: Activation applied to the result.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LocalResponseNormalizationOptions(Table):
    """Options of LOCAL_RESPONSE_NORMALIZATION.

    Attributes:
        radius: Half width of the window.
        bias: Constant in the denominator.
        alpha: Factor in the denominator.
        beta: Exponent of the denominator.
    """

    radius: int = 0
    bias: float = 0.0
    alpha: float = 0.0
    beta: float = 0.0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("radius", SCALAR, "i", default=0),
        Field("bias", SCALAR, "f", default=0.0),
        Field("alpha", SCALAR, "f", default=0.0),
        Field("beta", SCALAR, "f", default=0.0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LSTMOptions(Table):
    """Options of LSTM.

    Attributes:
        fused_activation_function: Activation applied to the result.
        cell_clip: Bound on the cell state; 0 for none.
        proj_clip: Bound on the projection; 0 for none.
        kernel_type: Full or basic cell.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    cell_clip: float = 0.0
    proj_clip: float = 0.0
    kernel_type: LSTMKernelType = LSTMKernelType.FULL
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("cell_clip", SCALAR, "f", default=0.0),
        Field("proj_clip", SCALAR, "f", default=0.0),
        Field("kernel_type", ENUM, "b", LSTMKernelType, LSTMKernelType.FULL),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UnidirectionalSequenceLSTMOptions(Table):
    """Options of UNIDIRECTIONAL_SEQUENCE_LSTM.

    Attributes:
        fused_activation_function: Activation applied to the result.
        cell_clip: Bound on the cell state; 0 for none.
        proj_clip: Bound on the projection; 0 for none.
        time_major: Whether time is the first dimension, before the batch.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
        diagonal_recurrent_tensors: Whether the recurrent weights are diagonals.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    cell_clip: float = 0.0
    proj_clip: float = 0.0
    time_major: bool = False
    asymmetric_quantize_inputs: bool = False
    diagonal_recurrent_tensors: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("cell_clip", SCALAR, "f", default=0.0),
        Field("proj_clip", SCALAR, "f", default=0.0),
        Field("time_major", SCALAR, "?", default=False),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
        Field("diagonal_recurrent_tensors", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BidirectionalSequenceLSTMOptions(Table):
    """Options of BIDIRECTIONAL_SEQUENCE_LSTM.

    Attributes:
        fused_activation_function: Activation applied to the result.
        cell_clip: Bound on the cell state; 0 for none.
        proj_clip: Bound on the projection; 0 for none.
        merge_outputs: Whether forward and backward results share one output.
        time_major: Whether time is the first dimension, before the batch.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    cell_clip: float = 0.0
    proj_clip: float = 0.0
    merge_outputs: bool = False
    time_major: bool = True
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("cell_clip", SCALAR, "f", default=0.0),
        Field("proj_clip", SCALAR, "f", default=0.0),
        Field("merge_outputs", SCALAR, "?", default=False),
        Field("time_major", SCALAR, "?", default=True),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ResizeBilinearOptions(Table):
    """Options of RESIZE_BILINEAR.

    Attributes:
        new_height: Output height. Deprecated.
        new_width: Output width. Deprecated.
        align_corners: Whether the centres of the corner pixels of input and output coincide.
        half_pixel_centers: Whether pixel centres lie at half coordinates.
    """

    new_height: int = 0
    new_width: int = 0
    align_corners: bool = False
    half_pixel_centers: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("new_height", SCALAR, "i", default=0),
        Field("new_width", SCALAR, "i", default=0),
        Field("align_corners", SCALAR, "?", default=False),
        Field("half_pixel_centers", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ResizeNearestNeighborOptions(Table):
    """Options of RESIZE_NEAREST_NEIGHBOR.

    Attributes:
        align_corners: Whether the centres of the corner pixels of input and output coincide.
        half_pixel_centers: Whether pixel centres lie at half coordinates.
    """

    align_corners: bool = False
    half_pixel_centers: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("align_corners", SCALAR, "?", default=False),
        Field("half_pixel_centers", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class CallOptions(Table):
    """Options of CALL.

    Attributes:
        subgraph: Index of the subgraph called.
    """

    subgraph: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("subgraph", SCALAR, "I", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class PadOptions(Table):
    """Options of PAD."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class PadV2Options(Table):
    """Options of PADV2."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ReshapeOptions(Table):
    """Options of RESHAPE.

    Attributes:
        new_shape: Output shape; used when the operator has no shape input.
    """

    new_shape: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("new_shape", VECTOR, "i"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SpaceToBatchNDOptions(Table):
    """Options of SPACE_TO_BATCH_ND."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BatchToSpaceNDOptions(Table):
    """Options of BATCH_TO_SPACE_ND."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SkipGramOptions(Table):
    """Options of SKIP_GRAM.

    Attributes:
        ngram_size: Words in one n-gram.
        max_skip_size: Words that may be skipped.
        include_all_ngrams: Whether shorter n-grams count too.
    """

    ngram_size: int = 0
    max_skip_size: int = 0
    include_all_ngrams: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("ngram_size", SCALAR, "i", default=0),
        Field("max_skip_size", SCALAR, "i", default=0),
        Field("include_all_ngrams", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SpaceToDepthOptions(Table):
    """Options of SPACE_TO_DEPTH.

    Attributes:
        block_size: Side of the square block that moves between space and depth.
    """

    block_size: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("block_size", SCALAR, "i", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DepthToSpaceOptions(Table):
    """Options of DEPTH_TO_SPACE.

    Attributes:
        block_size: Side of the square block that moves between space and depth.
    """

    block_size: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("block_size", SCALAR, "i", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SubOptions(Table):
    """Options of SUB.

    Attributes:
        fused_activation_function: Activation applied to the result.
        pot_scale_int16: Whether 16-bit tensors have scales that are powers of two.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    pot_scale_int16: bool = True

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("pot_scale_int16", SCALAR, "?", default=True),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DivOptions(Table):
    """Options of DIV.

    Attributes:
        fused_activation_function: Activation applied to the result.
    """

    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class TopKV2Options(Table):
    """Options of TOPK_V2."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class EmbeddingLookupSparseOptions(Table):
    """Options of EMBEDDING_LOOKUP_SPARSE.

    Attributes:
        combiner: How the rows found are combined.
    """

    combiner: CombinerType = CombinerType.SUM

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("combiner", ENUM, "b", CombinerType, CombinerType.SUM),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class GatherOptions(Table):
    """Options of GATHER.

    Attributes:
        axis: The dimension worked on; negative values count from the end.
        batch_dims: Leading dimensions that input and indices share.
    """

    axis: int = 0
    batch_dims: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("axis", SCALAR, "i", default=0),
        Field("batch_dims", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class TransposeOptions(Table):
    """Options of TRANSPOSE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ExpOptions(Table):
    """Options of EXP."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class CosOptions(Table):
    """Options of COS."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ReducerOptions(Table):
    """Options of MEAN, SUM, REDUCE_PROD, REDUCE_MAX, REDUCE_MIN, REDUCE_ANY, REDUCE_ALL.

    Attributes:
        keep_dims: Whether reduced dimensions stay with length 1.
    """

    keep_dims: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("keep_dims", SCALAR, "?", default=False),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SqueezeOptions(Table):
    """Options of SQUEEZE.

    Attributes:
        squeeze_dims: Dimensions of length 1 to drop; empty for all.
    """

    squeeze_dims: Sequence[int] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("squeeze_dims", VECTOR, "i"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SplitOptions(Table):
    """Options of SPLIT.

    Attributes:
        num_splits: Number of outputs.
    """

    num_splits: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("num_splits", SCALAR, "i", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SplitVOptions(Table):
    """Options of SPLIT_V.

    Attributes:
        num_splits: Number of outputs.
    """

    num_splits: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("num_splits", SCALAR, "i", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StridedSliceOptions(Table):
    """Options of STRIDED_SLICE.

    Attributes:
        begin_mask: Bit i: ignore begin[i].
        end_mask: Bit i: ignore end[i].
        ellipsis_mask: Bit i: position i stands for all dimensions not named.
        new_axis_mask: Bit i: insert a dimension of length 1.
        shrink_axis_mask: Bit i: take one element and drop the dimension.
        offset: Whether end is relative to begin.
    """

    begin_mask: int = 0
    end_mask: int = 0
    ellipsis_mask: int = 0
    new_axis_mask: int = 0
    shrink_axis_mask: int = 0
    offset: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("begin_mask", SCALAR, "i", default=0),
        Field("end_mask", SCALAR, "i", default=0),
        Field("ellipsis_mask", SCALAR, "i", default=0),
        Field("new_axis_mask", SCALAR, "i", default=0),
        Field("shrink_axis_mask", SCALAR, "i", default=0),
        Field("offset", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LogSoftmaxOptions(Table):
    """Options of LOG_SOFTMAX."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class CastOptions(Table):
    """Options of CAST.

    Attributes:
        in_data_type: Type of the input; runtimes use the tensor's.
        out_data_type: Type of the output; runtimes use the tensor's.
    """

    in_data_type: TensorType = TensorType.FLOAT32
    out_data_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("in_data_type", ENUM, "b", TensorType, TensorType.FLOAT32),
        Field("out_data_type", ENUM, "b", TensorType, TensorType.FLOAT32),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DequantizeOptions(Table):
    """Options of DEQUANTIZE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class MaximumMinimumOptions(Table):
    """Options of MAXIMUM, MINIMUM."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class TileOptions(Table):
    """Options of TILE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ArgMaxOptions(Table):
    """Options of ARG_MAX.

    Attributes:
        output_type: Type of the indices.
    """

    output_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("output_type", ENUM, "b", TensorType, TensorType.FLOAT32),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ArgMinOptions(Table):
    """Options of ARG_MIN.

    Attributes:
        output_type: Type of the indices.
    """

    output_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("output_type", ENUM, "b", TensorType, TensorType.FLOAT32),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class GreaterOptions(Table):
    """Options of GREATER."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class GreaterEqualOptions(Table):
    """Options of GREATER_EQUAL."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LessOptions(Table):
    """Options of LESS."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LessEqualOptions(Table):
    """Options of LESS_EQUAL."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class NegOptions(Table):
    """Options of NEG."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SelectOptions(Table):
    """Options of SELECT."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SliceOptions(Table):
    """Options of SLICE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class TransposeConvOptions(Table):
    """Options of TRANSPOSE_CONV.

    Attributes:
        padding: How the border is treated.
        stride_w: Horizontal step of the window, in elements.
        stride_h: Vertical step of the window, in elements.
        fused_activation_function: Activation applied to the result.
        quantized_bias_type: Type of the bias in a quantized operator; FLOAT32 means the default.
    """

    padding: Padding = Padding.SAME
    stride_w: int = 0
    stride_h: int = 0
    fused_activation_function: ActivationFunctionType = ActivationFunctionType.NONE
    quantized_bias_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("padding", ENUM, "b", Padding, Padding.SAME),
        Field("stride_w", SCALAR, "i", default=0),
        Field("stride_h", SCALAR, "i", default=0),
        Field("fused_activation_function", ENUM, "b", ActivationFunctionType, ActivationFunctionType.NONE),
        Field("quantized_bias_type", ENUM, "b", TensorType, TensorType.FLOAT32),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ExpandDimsOptions(Table):
    """Options of EXPAND_DIMS."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SparseToDenseOptions(Table):
    """Options of SPARSE_TO_DENSE.

    Attributes:
        validate_indices: Whether indices are checked.
    """

    validate_indices: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("validate_indices", SCALAR, "?", default=False),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class EqualOptions(Table):
    """Options of EQUAL."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class NotEqualOptions(Table):
    """Options of NOT_EQUAL."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ShapeOptions(Table):
    """Options of SHAPE.

    Attributes:
        out_type: Type of the output.
    """

    out_type: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("out_type", ENUM, "b", TensorType, TensorType.FLOAT32),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class RankOptions(Table):
    """Options of RANK."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class PowOptions(Table):
    """Options of POW."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class FakeQuantOptions(Table):
    """Options of FAKE_QUANT.

    Attributes:
        min: Lower end of the real range.
        max: Upper end of the real range.
        num_bits: Width of the simulated integers.
        narrow_range: Whether the lowest code is unused.
    """

    min: float = 0.0
    max: float = 0.0
    num_bits: int = 0
    narrow_range: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("min", SCALAR, "f", default=0.0),
        Field("max", SCALAR, "f", default=0.0),
        Field("num_bits", SCALAR, "i", default=0),
        Field("narrow_range", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class PackOptions(Table):
    """Options of PACK.

    Attributes:
        values_count: Number of inputs.
        axis: The dimension worked on; negative values count from the end.
    """

    values_count: int = 0
    axis: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("values_count", SCALAR, "i", default=0),
        Field("axis", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LogicalOrOptions(Table):
    """Options of LOGICAL_OR."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class OneHotOptions(Table):
    """Options of ONE_HOT.

    Attributes:
        axis: The dimension worked on; negative values count from the end.
    """

    axis: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("axis", SCALAR, "i", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class AbsOptions(Table):
    """Options of ABS."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class HardSwishOptions(Table):
    """Options of HARD_SWISH."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LogicalAndOptions(Table):
    """Options of LOGICAL_AND."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LogicalNotOptions(Table):
    """Options of LOGICAL_NOT."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UnpackOptions(Table):
    """Options of UNPACK.

    Attributes:
        num: Number of outputs.
        axis: The dimension worked on; negative values count from the end.
    """

    num: int = 0
    axis: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("num", SCALAR, "i", default=0),
        Field("axis", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class FloorDivOptions(Table):
    """Options of FLOOR_DIV."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SquareOptions(Table):
    """Options of SQUARE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ZerosLikeOptions(Table):
    """Options of ZEROS_LIKE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class FillOptions(Table):
    """Options of FILL."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class FloorModOptions(Table):
    """Options of FLOOR_MOD."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class RangeOptions(Table):
    """Options of RANGE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class LeakyReluOptions(Table):
    """Options of LEAKY_RELU.

    Attributes:
        alpha: Slope for negative values.
    """

    alpha: float = 0.0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("alpha", SCALAR, "f", default=0.0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SquaredDifferenceOptions(Table):
    """Options of SQUARED_DIFFERENCE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class MirrorPadOptions(Table):
    """Options of MIRROR_PAD.

    Attributes:
        mode: REFLECT or SYMMETRIC.
    """

    mode: MirrorPadMode = MirrorPadMode.REFLECT

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("mode", ENUM, "b", MirrorPadMode, MirrorPadMode.REFLECT),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UniqueOptions(Table):
    """Options of UNIQUE.

    Attributes:
        idx_out_type: Type of the indices.
    """

    idx_out_type: TensorType = TensorType.INT32

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("idx_out_type", ENUM, "b", TensorType, TensorType.INT32),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ReverseV2Options(Table):
    """Options of REVERSE_V2."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class AddNOptions(Table):
    """Options of ADD_N."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class GatherNdOptions(Table):
    """Options of GATHER_ND."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class WhereOptions(Table):
    """Options of WHERE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ReverseSequenceOptions(Table):
    """Options of REVERSE_SEQUENCE.

    Attributes:
        seq_dim: Dimension that is reversed.
        batch_dim: Dimension that each length belongs to.
    """

    seq_dim: int = 0
    batch_dim: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("seq_dim", SCALAR, "i", default=0),
        Field("batch_dim", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class MatrixDiagOptions(Table):
    """Options of MATRIX_DIAG."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class QuantizeOptions(Table):
    """Options of QUANTIZE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class MatrixSetDiagOptions(Table):
    """Options of MATRIX_SET_DIAG."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class IfOptions(Table):
    """Options of IF.

    Attributes:
        then_subgraph_index: Subgraph for true.
        else_subgraph_index: Subgraph for false.
    """

    then_subgraph_index: int = 0
    else_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("then_subgraph_index", SCALAR, "i", default=0),
        Field("else_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class CallOnceOptions(Table):
    """Options of CALL_ONCE.

    Attributes:
        init_subgraph_index: Subgraph that initialises the model.
    """

    init_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("init_subgraph_index", SCALAR, "i", default=0),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class WhileOptions(Table):
    """Options of WHILE.

    Attributes:
        cond_subgraph_index: Subgraph that decides whether the loop goes on.
        body_subgraph_index: Subgraph of the loop's body.
    """

    cond_subgraph_index: int = 0
    body_subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("cond_subgraph_index", SCALAR, "i", default=0),
        Field("body_subgraph_index", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class NonMaxSuppressionV4Options(Table):
    """Options of NON_MAX_SUPPRESSION_V4."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class NonMaxSuppressionV5Options(Table):
    """Options of NON_MAX_SUPPRESSION_V5."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ScatterNdOptions(Table):
    """Options of SCATTER_ND."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SelectV2Options(Table):
    """Options of SELECT_V2."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DensifyOptions(Table):
    """Options of DENSIFY."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SegmentSumOptions(Table):
    """Options of SEGMENT_SUM."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BatchMatMulOptions(Table):
    """Options of BATCH_MATMUL.

    Attributes:
        adj_x: Whether the left operand is transposed.
        adj_y: Whether the right operand is transposed.
        asymmetric_quantize_inputs: Whether a hybrid operator quantizes its float input with a zero point.
    """

    adj_x: bool = False
    adj_y: bool = False
    asymmetric_quantize_inputs: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("adj_x", SCALAR, "?", default=False),
        Field("adj_y", SCALAR, "?", default=False),
        Field("asymmetric_quantize_inputs", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class CumsumOptions(Table):
    """Options of CUMSUM.

    Attributes:
        exclusive: Whether an element leaves itself out of its sum.
        reverse: Whether sums run from the end.
    """

    exclusive: bool = False
    reverse: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("exclusive", SCALAR, "?", default=False),
        Field("reverse", SCALAR, "?", default=False),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BroadcastToOptions(Table):
    """Options of BROADCAST_TO."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Rfft2dOptions(Table):
    """Options of RFFT2D."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class HashtableOptions(Table):
    """Options of HASHTABLE.

    Attributes:
        table_id: Number of the table.
        key_dtype: Type of the keys.
        value_dtype: Type of the values.
    """

    table_id: int = 0
    key_dtype: TensorType = TensorType.FLOAT32
    value_dtype: TensorType = TensorType.FLOAT32

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("table_id", SCALAR, "i", default=0),
        Field("key_dtype", ENUM, "b", TensorType, TensorType.FLOAT32),
        Field("value_dtype", ENUM, "b", TensorType, TensorType.FLOAT32),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class HashtableFindOptions(Table):
    """Options of HASHTABLE_FIND."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class HashtableImportOptions(Table):
    """Options of HASHTABLE_IMPORT."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class HashtableSizeOptions(Table):
    """Options of HASHTABLE_SIZE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class VarHandleOptions(Table):
    """Options of VAR_HANDLE.

    Attributes:
        container: Container of the variable.
        shared_name: Name of the variable.
    """

    container: str | None = None
    shared_name: str | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("container", STRING),
        Field("shared_name", STRING),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ReadVariableOptions(Table):
    """Options of READ_VARIABLE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class AssignVariableOptions(Table):
    """Options of ASSIGN_VARIABLE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class RandomOptions(Table):
    """Options of RANDOM_UNIFORM, RANDOM_STANDARD_NORMAL, MULTINOMIAL.

    Attributes:
        seed: First half of the seed.
        seed2: Second half of the seed.
    """

    seed: int = 0
    seed2: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("seed", SCALAR, "q", default=0),
        Field("seed2", SCALAR, "q", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BucketizeOptions(Table):
    """Options of BUCKETIZE.

    Attributes:
        boundaries: Bucket limits in ascending order.
    """

    boundaries: NDArray[Any] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("boundaries", ARRAY, "f"),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class GeluOptions(Table):
    """Options of GELU.

    Attributes:
        approximate: Whether the tanh approximation is used.
    """

    approximate: bool = False

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("approximate", SCALAR, "?", default=False),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DynamicUpdateSliceOptions(Table):
    """Options of DYNAMIC_UPDATE_SLICE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UnsortedSegmentProdOptions(Table):
    """Options of UNSORTED_SEGMENT_PROD."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UnsortedSegmentMaxOptions(Table):
    """Options of UNSORTED_SEGMENT_MAX."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UnsortedSegmentSumOptions(Table):
    """Options of UNSORTED_SEGMENT_SUM."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ATan2Options(Table):
    """Options of ATAN2."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class UnsortedSegmentMinOptions(Table):
    """Options of UNSORTED_SEGMENT_MIN."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SignOptions(Table):
    """Options of SIGN."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BitcastOptions(Table):
    """Options of BITCAST."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class BitwiseXorOptions(Table):
    """Options of BITWISE_XOR."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class RightShiftOptions(Table):
    """Options of RIGHT_SHIFT."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class DilateOptions(Table):
    """Options of DILATE."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ReduceWindowOptions(Table):
    """Options of REDUCE_WINDOW (deprecated).

    Attributes:
        reduce_function: How elements are combined.
    """

    reduce_function: ReduceWindowFunction = ReduceWindowFunction.UNSUPPORTED

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("reduce_function", ENUM, "i", ReduceWindowFunction, ReduceWindowFunction.UNSUPPORTED),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class OperatorCode(Table):
    """A kind of operator, which operators refer to by its index.

    Attributes:
        deprecated_builtin_code: The operator number of files from before 2021; at most 127.
        custom_code: Name of a custom operator.
        version: Version of the operator.
        builtin_code: The operator.
    """

    deprecated_builtin_code: int = 0
    custom_code: str | None = None
    version: int = 1
    builtin_code: BuiltinOperator = BuiltinOperator.ADD

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("deprecated_builtin_code", SCALAR, "b", default=0),
        Field("custom_code", STRING),
        Field("version", SCALAR, "i", default=1),
        Field("builtin_code", ENUM, "i", BuiltinOperator, BuiltinOperator.ADD),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StableHLOCompositeOptions(Table):
    """Options of STABLEHLO_COMPOSITE.

    Attributes:
        name: Name.
        decomposition_subgraph_index: Subgraph that computes the composite from simpler operators.
        composite_attributes: Flexbuffer with the composite's attributes.
        composite_attributes_format: Format of composite_attributes.
        version: Version of the composite.
    """

    name: str | None = None
    decomposition_subgraph_index: int = 0
    composite_attributes: Bytes | None = None
    composite_attributes_format: CustomOptionsFormat = CustomOptionsFormat.FLEXBUFFERS
    version: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("name", STRING),
        Field("decomposition_subgraph_index", SCALAR, "i", default=0),
        Field("composite_attributes", BYTES, "B"),
        Field("composite_attributes_format", ENUM, "b", CustomOptionsFormat, CustomOptionsFormat.FLEXBUFFERS),
        Field("version", SCALAR, "i", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class StablehloShiftLeftOptions(Table):
    """Options of STABLEHLO_SHIFT_LEFT."""

    FIELDS: ClassVar[tuple[Field, ...]] = ()


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Operator(Table):
    """One operator of a subgraph.

    Attributes:
        opcode_index: Index of the operator code.
        inputs: Tensor indices; -1 for an optional input that is absent.
        outputs: Tensor indices.
        builtin_options_type: Type number of the union builtin_options; set from the value when written.
        builtin_options: Options of a builtin operator.
        custom_options: Options of a custom operator, usually a flexbuffer.
        custom_options_format: Format of custom_options.
        mutating_variable_inputs: Which inputs the operator changes.
        intermediates: Tensor indices of scratch tensors that carry quantization.
        large_custom_options_offset: Position in the file of custom options that lie behind the flatbuffer.
        large_custom_options_size: Length of custom options that lie behind the flatbuffer.
        builtin_options_2_type: Type number of the union builtin_options_2; set from the value when written.
        builtin_options_2: Options of operators added since 2023.
        debug_metadata_index: Entry of the debug metadata; -1 for none.
    """

    opcode_index: int = 0
    inputs: Sequence[int] | None = None
    outputs: Sequence[int] | None = None
    builtin_options_type: int = 0
    builtin_options: BuiltinOptionsTable | None = None
    custom_options: Bytes | None = None
    custom_options_format: CustomOptionsFormat = CustomOptionsFormat.FLEXBUFFERS
    mutating_variable_inputs: Sequence[bool] | None = None
    intermediates: Sequence[int] | None = None
    large_custom_options_offset: int = 0
    large_custom_options_size: int = 0
    builtin_options_2_type: int = 0
    builtin_options_2: BuiltinOptions2Table | None = None
    debug_metadata_index: int = -1

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("opcode_index", SCALAR, "I", default=0),
        Field("inputs", VECTOR, "i"),
        Field("outputs", VECTOR, "i"),
        Field("builtin_options_type", SCALAR, "B"),
        Field("builtin_options", UNION, arg="BuiltinOptions"),
        Field("custom_options", BYTES, "B"),
        Field("custom_options_format", ENUM, "b", CustomOptionsFormat, CustomOptionsFormat.FLEXBUFFERS),
        Field("mutating_variable_inputs", VECTOR, "?"),
        Field("intermediates", VECTOR, "i"),
        Field("large_custom_options_offset", SCALAR, "Q", default=0),
        Field("large_custom_options_size", SCALAR, "Q", default=0),
        Field("builtin_options_2_type", SCALAR, "B"),
        Field("builtin_options_2", UNION, arg="BuiltinOptions2"),
        Field("debug_metadata_index", SCALAR, "i", default=-1),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SubGraph(Table):
    """One graph of tensors and operators.

    Attributes:
        tensors: The tensors.
        inputs: Tensor indices; -1 for an optional input that is absent.
        outputs: Tensor indices.
        operators: The operators in order of execution.
        name: Name.
        debug_metadata_index: Entry of the debug metadata; -1 for none.
    """

    tensors: list[Tensor] | None = None
    inputs: Sequence[int] | None = None
    outputs: Sequence[int] | None = None
    operators: list[Operator] | None = None
    name: str | None = None
    debug_metadata_index: int = -1

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("tensors", TABLES, arg="Tensor"),
        Field("inputs", VECTOR, "i"),
        Field("outputs", VECTOR, "i"),
        Field("operators", TABLES, arg="Operator"),
        Field("name", STRING),
        Field("debug_metadata_index", SCALAR, "i", default=-1),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Buffer(Table):
    """The bytes of constants and metadata.

    Attributes:
        data: The bytes.
        offset: Position in the file of bytes that lie behind the flatbuffer.
        size: Length of bytes that lie behind the flatbuffer.
    """

    data: Bytes | None = None
    offset: int = 0
    size: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("data", BYTES, "B", align=16),
        Field("offset", SCALAR, "Q", default=0),
        Field("size", SCALAR, "Q", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ExternalBufferGroup(Table):
    """A file beside the model that holds external buffers.

    Attributes:
        name: Name.
    """

    name: str | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (Field("name", STRING),)


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class ExternalBuffer(Table):
    """A slice of an external file.

    Attributes:
        id: Number that tensors refer to; not 0.
        group: Index of the external buffer group.
        offset: Position in the external file.
        length: Length in bytes.
        packing: How the bytes are packed; absent for plain bytes.
    """

    id: int = 0
    group: int = 0
    offset: int = 0
    length: int = 0
    packing: str | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("id", SCALAR, "I", default=0),
        Field("group", SCALAR, "I", default=0),
        Field("offset", SCALAR, "Q", default=0),
        Field("length", SCALAR, "Q", default=0),
        Field("packing", STRING),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Metadata(Table):
    """A named buffer.

    Attributes:
        name: Name.
        buffer: Index of the buffer with the data.
    """

    name: str | None = None
    buffer: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("name", STRING),
        Field("buffer", SCALAR, "I", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class TensorMap(Table):
    """A signature's name for a tensor.

    Attributes:
        name: Name.
        tensor_index: Index of the tensor.
    """

    name: str | None = None
    tensor_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("name", STRING),
        Field("tensor_index", SCALAR, "I", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class SignatureDef(Table):
    """A named entry point: a subgraph with names for its inputs and outputs.

    Attributes:
        inputs: Names of the inputs.
        outputs: Names of the outputs.
        signature_key: Name of the signature.
        deprecated_tag: Tag of the saved model. Deprecated.
        subgraph_index: Index of the subgraph.
    """

    inputs: list[TensorMap] | None = None
    outputs: list[TensorMap] | None = None
    signature_key: str | None = None
    deprecated_tag: str | None = None
    subgraph_index: int = 0

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("inputs", TABLES, arg="TensorMap"),
        Field("outputs", TABLES, arg="TensorMap"),
        Field("signature_key", STRING),
        Field("deprecated_tag", STRING),
        Field("subgraph_index", SCALAR, "I", default=0),
    )


@dataclasses.dataclass(slots=True, repr=False, eq=False)
class Model(Table):
    """The root of the file.

    Attributes:
        version: Version of the schema; 3.
        operator_codes: The kinds of operators.
        subgraphs: The graphs; the first one is the main graph.
        description: Free text.
        buffers: The buffers; the first one is empty by convention.
        metadata_buffer: Buffer indices of metadata in files from before metadata had names.
        metadata: Named metadata.
        signature_defs: The signatures.
        external_buffer_groups: Files beside the model.
        external_buffers: Slices of these files.
    """

    version: int = 0
    operator_codes: list[OperatorCode] | None = None
    subgraphs: list[SubGraph] | None = None
    description: str | None = None
    buffers: list[Buffer] | None = None
    metadata_buffer: Sequence[int] | None = None
    metadata: list[Metadata] | None = None
    signature_defs: list[SignatureDef] | None = None
    external_buffer_groups: list[ExternalBufferGroup] | None = None
    external_buffers: list[ExternalBuffer] | None = None

    FIELDS: ClassVar[tuple[Field, ...]] = (
        Field("version", SCALAR, "I", default=0),
        Field("operator_codes", TABLES, arg="OperatorCode"),
        Field("subgraphs", TABLES, arg="SubGraph"),
        Field("description", STRING),
        Field("buffers", TABLES, arg="Buffer"),
        Field("metadata_buffer", VECTOR, "i"),
        Field("metadata", TABLES, arg="Metadata"),
        Field("signature_defs", TABLES, arg="SignatureDef"),
        Field("external_buffer_groups", TABLES, arg="ExternalBufferGroup"),
        Field("external_buffers", TABLES, arg="ExternalBuffer"),
    )


BuiltinOptionsTable = (
    Conv2DOptions
    | DepthwiseConv2DOptions
    | ConcatEmbeddingsOptions
    | LSHProjectionOptions
    | Pool2DOptions
    | SVDFOptions
    | RNNOptions
    | FullyConnectedOptions
    | SoftmaxOptions
    | ConcatenationOptions
    | AddOptions
    | L2NormOptions
    | LocalResponseNormalizationOptions
    | LSTMOptions
    | ResizeBilinearOptions
    | CallOptions
    | ReshapeOptions
    | SkipGramOptions
    | SpaceToDepthOptions
    | EmbeddingLookupSparseOptions
    | MulOptions
    | PadOptions
    | GatherOptions
    | BatchToSpaceNDOptions
    | SpaceToBatchNDOptions
    | TransposeOptions
    | ReducerOptions
    | SubOptions
    | DivOptions
    | SqueezeOptions
    | SequenceRNNOptions
    | StridedSliceOptions
    | ExpOptions
    | TopKV2Options
    | SplitOptions
    | LogSoftmaxOptions
    | CastOptions
    | DequantizeOptions
    | MaximumMinimumOptions
    | ArgMaxOptions
    | LessOptions
    | NegOptions
    | PadV2Options
    | GreaterOptions
    | GreaterEqualOptions
    | LessEqualOptions
    | SelectOptions
    | SliceOptions
    | TransposeConvOptions
    | SparseToDenseOptions
    | TileOptions
    | ExpandDimsOptions
    | EqualOptions
    | NotEqualOptions
    | ShapeOptions
    | PowOptions
    | ArgMinOptions
    | FakeQuantOptions
    | PackOptions
    | LogicalOrOptions
    | OneHotOptions
    | LogicalAndOptions
    | LogicalNotOptions
    | UnpackOptions
    | FloorDivOptions
    | SquareOptions
    | ZerosLikeOptions
    | FillOptions
    | BidirectionalSequenceLSTMOptions
    | BidirectionalSequenceRNNOptions
    | UnidirectionalSequenceLSTMOptions
    | FloorModOptions
    | RangeOptions
    | ResizeNearestNeighborOptions
    | LeakyReluOptions
    | SquaredDifferenceOptions
    | MirrorPadOptions
    | AbsOptions
    | SplitVOptions
    | UniqueOptions
    | ReverseV2Options
    | AddNOptions
    | GatherNdOptions
    | CosOptions
    | WhereOptions
    | RankOptions
    | ReverseSequenceOptions
    | MatrixDiagOptions
    | QuantizeOptions
    | MatrixSetDiagOptions
    | HardSwishOptions
    | IfOptions
    | WhileOptions
    | DepthToSpaceOptions
    | NonMaxSuppressionV4Options
    | NonMaxSuppressionV5Options
    | ScatterNdOptions
    | SelectV2Options
    | DensifyOptions
    | SegmentSumOptions
    | BatchMatMulOptions
    | CumsumOptions
    | CallOnceOptions
    | BroadcastToOptions
    | Rfft2dOptions
    | Conv3DOptions
    | HashtableOptions
    | HashtableFindOptions
    | HashtableImportOptions
    | HashtableSizeOptions
    | VarHandleOptions
    | ReadVariableOptions
    | AssignVariableOptions
    | RandomOptions
    | BucketizeOptions
    | GeluOptions
    | DynamicUpdateSliceOptions
    | UnsortedSegmentProdOptions
    | UnsortedSegmentMaxOptions
    | UnsortedSegmentMinOptions
    | UnsortedSegmentSumOptions
    | ATan2Options
    | SignOptions
    | BitcastOptions
    | BitwiseXorOptions
    | RightShiftOptions
)


BuiltinOptions2Table = (
    StablehloConcatenateOptions
    | StablehloBroadcastInDimOptions
    | StablehloSliceOptions
    | StablehloConvolutionOptions
    | StablehloCustomCallOptions
    | StablehloReduceOptions
    | StablehloScatterOptions
    | StablehloCompareOptions
    | StablehloDynamicSliceOptions
    | StablehloPadOptions
    | StablehloIotaOptions
    | StablehloDotGeneralOptions
    | StablehloReduceWindowOptions
    | StablehloSortOptions
    | StablehloWhileOptions
    | StablehloGatherOptions
    | StablehloTransposeOptions
    | DilateOptions
    | StablehloRngBitGeneratorOptions
    | ReduceWindowOptions
    | StableHLOCompositeOptions
    | StablehloShiftLeftOptions
    | StablehloCaseOptions
)


#: Union name -> table class of each type number; type 0 means that there is no value.
UNIONS: dict[str, tuple[type[Table] | None, ...]] = {
    "QuantizationDetails": (
        None,
        CustomQuantization,
        BlockwiseQuantization,
        MultiAxisQuantization,
    ),
    "SparseIndexVector": (
        None,
        Int32Vector,
        Uint16Vector,
        Uint8Vector,
    ),
    "BuiltinOptions": (
        None,
        Conv2DOptions,
        DepthwiseConv2DOptions,
        ConcatEmbeddingsOptions,
        LSHProjectionOptions,
        Pool2DOptions,
        SVDFOptions,
        RNNOptions,
        FullyConnectedOptions,
        SoftmaxOptions,
        ConcatenationOptions,
        AddOptions,
        L2NormOptions,
        LocalResponseNormalizationOptions,
        LSTMOptions,
        ResizeBilinearOptions,
        CallOptions,
        ReshapeOptions,
        SkipGramOptions,
        SpaceToDepthOptions,
        EmbeddingLookupSparseOptions,
        MulOptions,
        PadOptions,
        GatherOptions,
        BatchToSpaceNDOptions,
        SpaceToBatchNDOptions,
        TransposeOptions,
        ReducerOptions,
        SubOptions,
        DivOptions,
        SqueezeOptions,
        SequenceRNNOptions,
        StridedSliceOptions,
        ExpOptions,
        TopKV2Options,
        SplitOptions,
        LogSoftmaxOptions,
        CastOptions,
        DequantizeOptions,
        MaximumMinimumOptions,
        ArgMaxOptions,
        LessOptions,
        NegOptions,
        PadV2Options,
        GreaterOptions,
        GreaterEqualOptions,
        LessEqualOptions,
        SelectOptions,
        SliceOptions,
        TransposeConvOptions,
        SparseToDenseOptions,
        TileOptions,
        ExpandDimsOptions,
        EqualOptions,
        NotEqualOptions,
        ShapeOptions,
        PowOptions,
        ArgMinOptions,
        FakeQuantOptions,
        PackOptions,
        LogicalOrOptions,
        OneHotOptions,
        LogicalAndOptions,
        LogicalNotOptions,
        UnpackOptions,
        FloorDivOptions,
        SquareOptions,
        ZerosLikeOptions,
        FillOptions,
        BidirectionalSequenceLSTMOptions,
        BidirectionalSequenceRNNOptions,
        UnidirectionalSequenceLSTMOptions,
        FloorModOptions,
        RangeOptions,
        ResizeNearestNeighborOptions,
        LeakyReluOptions,
        SquaredDifferenceOptions,
        MirrorPadOptions,
        AbsOptions,
        SplitVOptions,
        UniqueOptions,
        ReverseV2Options,
        AddNOptions,
        GatherNdOptions,
        CosOptions,
        WhereOptions,
        RankOptions,
        ReverseSequenceOptions,
        MatrixDiagOptions,
        QuantizeOptions,
        MatrixSetDiagOptions,
        HardSwishOptions,
        IfOptions,
        WhileOptions,
        DepthToSpaceOptions,
        NonMaxSuppressionV4Options,
        NonMaxSuppressionV5Options,
        ScatterNdOptions,
        SelectV2Options,
        DensifyOptions,
        SegmentSumOptions,
        BatchMatMulOptions,
        CumsumOptions,
        CallOnceOptions,
        BroadcastToOptions,
        Rfft2dOptions,
        Conv3DOptions,
        HashtableOptions,
        HashtableFindOptions,
        HashtableImportOptions,
        HashtableSizeOptions,
        VarHandleOptions,
        ReadVariableOptions,
        AssignVariableOptions,
        RandomOptions,
        BucketizeOptions,
        GeluOptions,
        DynamicUpdateSliceOptions,
        UnsortedSegmentProdOptions,
        UnsortedSegmentMaxOptions,
        UnsortedSegmentMinOptions,
        UnsortedSegmentSumOptions,
        ATan2Options,
        SignOptions,
        BitcastOptions,
        BitwiseXorOptions,
        RightShiftOptions,
    ),
    "BuiltinOptions2": (
        None,
        StablehloConcatenateOptions,
        StablehloBroadcastInDimOptions,
        StablehloSliceOptions,
        StablehloConvolutionOptions,
        StablehloCustomCallOptions,
        StablehloReduceOptions,
        StablehloScatterOptions,
        StablehloCompareOptions,
        StablehloDynamicSliceOptions,
        StablehloPadOptions,
        StablehloIotaOptions,
        StablehloDotGeneralOptions,
        StablehloReduceWindowOptions,
        StablehloSortOptions,
        StablehloWhileOptions,
        StablehloGatherOptions,
        StablehloTransposeOptions,
        DilateOptions,
        StablehloRngBitGeneratorOptions,
        ReduceWindowOptions,
        StableHLOCompositeOptions,
        StablehloShiftLeftOptions,
        StablehloCaseOptions,
    ),
}
