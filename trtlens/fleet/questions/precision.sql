-- What do layers compute in, and on which cores, by TensorRT version?
-- place 5
-- chart bar trt share_percent precision
-- column trt | text | | TensorRT version
-- column model | text | | file name of the model; empty where it is not known
-- column gpu | text | | GPU; empty where it is not known
-- column precision | text | | what the layers compute in; empty where it is not known
-- column unit | text | | tensor core or cuda core; empty where it is not known
-- column engines | int | | engines that have such a layer
-- column layers | int | | layers that compute
-- column share_percent | float | % | share of the layers that compute, of that version, model and GPU
-- column time_ms | float | ms | sum of the times of those that were timed
SELECT trt, model, gpu, precision, unit, count(DISTINCT (run_id, build)) AS engines, count(*) AS layers,
    100 * count(*) / sum(count(*)) OVER (PARTITION BY trt, model, gpu) AS share_percent, sum(time_ms) AS time_ms
FROM engine_layers JOIN (SELECT run_id, build, model, gpu FROM engines WHERE is_calibration IS DISTINCT FROM true) USING (run_id, build)
WHERE works GROUP BY trt, model, gpu, precision, unit ORDER BY trt, model, gpu, layers DESC, precision, unit;
