-- What do timing caches answer, and how long do builds with and without take?
-- place 8
-- chart bar model selection_s cached
-- column model | text | | file name of the model; empty where it is not known
-- column gpu | text | | GPU; empty where it is not known
-- column trt | text | | TensorRT version
-- column cached | text | | none, some, most (half or more) or all of the tactics have their time from a cache
-- column engines | int | | builds
-- column tactics | float | | tactics with a time, on average
-- column cached_percent | float | % | share of them with a time from a cache
-- column selection_s | float | s | median seconds of formats and tactics selection, as TensorRT states them
-- column generation_s | float | s | median seconds of engine generation, as TensorRT states them
SELECT model, gpu, trt,
    CASE WHEN cached = 0 THEN 'none' WHEN timed = 0 THEN 'all' WHEN cached >= timed THEN 'most' ELSE 'some' END AS cached,
    count(*) AS engines, avg(engines.timed + engines.cached) AS tactics, 100 * sum(engines.cached) / sum(engines.timed + engines.cached) AS cached_percent,
    median(tactic_selection_s) AS selection_s, median(engine_generation_s) AS generation_s
FROM engines WHERE engines.timed + engines.cached > 0 AND is_calibration IS DISTINCT FROM true
GROUP BY ALL ORDER BY model, gpu, trt, cached;
