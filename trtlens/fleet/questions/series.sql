-- Which series of latencies are there: one model, one GPU, the same flags?
-- place 3
-- chart bar model median_ms gpu
-- column model | text | | file name of the model
-- column gpu | text | | GPU
-- column settings | text | | flags that decide the engine or its timing
-- column latency_source | text | | what is called the latency
-- column runs | int | | runs; a step is looked for from 8 on
-- column first_version | text | | TensorRT of the first run
-- column last_version | text | | TensorRT of the last run
-- column median_ms | float | ms | median of all latencies
-- column last_ms | float | ms | latency of the last run
-- column spread_percent | float | % | standard deviation of all, steps included
-- column first_at | text | | time stamp of the first run, in its log's own clock
-- column last_at | text | | time stamp of the last run
SELECT any_value(model) AS model, any_value(gpu) AS gpu, any_value(settings) AS settings, any_value(latency_source) AS latency_source,
    count(*) AS runs, arg_min(tensorrt_version, when_s) AS first_version, arg_max(tensorrt_version, when_s) AS last_version,
    median(latency_ms) AS median_ms, arg_max(latency_ms, when_s) AS last_ms, 100 * stddev_samp(latency_ms) / avg(latency_ms) AS spread_percent,
    strftime(make_timestamp((min(when_s) * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS first_at,
    strftime(make_timestamp((max(when_s) * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS last_at
FROM timed_engines() WHERE left_out IS NULL GROUP BY series ORDER BY runs DESC, model, gpu, settings, series;
