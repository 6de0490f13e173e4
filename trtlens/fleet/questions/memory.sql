-- Which engines need more memory than they did?
-- place 12
-- chart bar model growth_percent gpu
-- column model | text | | file name of the model
-- column gpu | text | | GPU
-- column settings | text | | flags that decide the engine or its timing
-- column engines | int | | engines with known sizes
-- column first_version | text | | TensorRT of the first run
-- column last_version | text | | TensorRT of the last run
-- column first_bytes | int | bytes | activations, scratch and persistent memory on the GPU in the first run; engines of which one of them is not known are left out
-- column last_bytes | int | bytes | the same of the last run
-- column largest_bytes | int | bytes | the same of the largest one
-- column growth_percent | float | % | last beside first
-- column weights_growth_percent | float | % | the same of the weights, of the runs that state them
WITH sized AS (
    SELECT *, activation_bytes + scratch_bytes + device_persistent_bytes AS bytes
    FROM engines WHERE is_calibration IS DISTINCT FROM true AND gpu IS NOT NULL AND (model IS NOT NULL OR model_sha256 IS NOT NULL) AND when_s IS NOT NULL
)
SELECT model, gpu, settings, count(*) AS engines, arg_min(tensorrt_version, when_s) AS first_version, arg_max(tensorrt_version, when_s) AS last_version,
    arg_min(bytes, when_s) AS first_bytes, arg_max(bytes, when_s) AS last_bytes, max(bytes) AS largest_bytes,
    100 * (arg_max(bytes, when_s) / nullif(arg_min(bytes, when_s), 0) - 1) AS growth_percent,
    100 * (arg_max(weights_bytes, when_s) / nullif(arg_min(weights_bytes, when_s), 0) - 1) AS weights_growth_percent
FROM sized WHERE bytes IS NOT NULL GROUP BY model, network, gpu, settings ORDER BY growth_percent DESC NULLS LAST, model, gpu, settings;
