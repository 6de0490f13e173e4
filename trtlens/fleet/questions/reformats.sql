-- How much of an engine only changes types and layouts, by TensorRT version?
-- place 6
-- chart bar trt time_percent model
-- column trt | text | | TensorRT version
-- column model | text | | file name of the model; empty where it is not known
-- column gpu | text | | GPU; empty where it is not known
-- column engines | int | | engines
-- column layers | float | | layers, on average
-- column reformats | float | | reformats, on average
-- column timed_engines | int | | engines whose layers were timed
-- column time_percent | float | % | share of the timed layers' time that reformats take; empty where no engine was timed
WITH per_engine AS (
    SELECT trt, run_id, build, count(*) AS layers, count(*) FILTER (is_reformat) AS reformats,
        sum(time_ms) AS time_ms, sum(time_ms) FILTER (is_reformat) AS reformat_ms
    FROM engine_layers GROUP BY ALL
)
SELECT trt, model, gpu, count(*) AS engines, avg(layers) AS layers, avg(reformats) AS reformats, count(time_ms) AS timed_engines,
    100 * sum(CASE WHEN time_ms IS NOT NULL THEN coalesce(reformat_ms, 0) END) / sum(time_ms) AS time_percent
FROM per_engine JOIN (SELECT run_id, build, model, gpu FROM engines WHERE is_calibration IS DISTINCT FROM true) USING (run_id, build)
GROUP BY ALL ORDER BY trt, model, gpu;
