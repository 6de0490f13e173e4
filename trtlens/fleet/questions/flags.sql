-- When was a model first run with other flags, and what changed?
-- place 13
-- chart bar model runs_since gpu
-- column since | text | | time stamp of the first run with the new flags, in its log's own clock
-- column model | text | | file name of the model
-- column gpu | text | | GPU
-- column removed | text | | flags that the run before had
-- column added | text | | flags that it has
-- column latency_before_ms | float | ms | latency of the run before
-- column latency_after_ms | float | ms | latency of this run
-- column runs_since | int | | runs of the model on that GPU from here on, with any flags
-- column run | text | | first run with the new flags
WITH ordered AS (
    SELECT *, string_split(settings, ' ') AS own, lag(string_split(settings, ' ')) OVER w AS earlier, lag(latency_ms) OVER w AS latency_before,
        count(*) OVER (PARTITION BY model, gpu ORDER BY when_s DESC, run_id DESC) AS runs_since,
        row_number() OVER (PARTITION BY model, gpu, settings ORDER BY when_s, run_id) AS with_these
    FROM engines WHERE settings IS NOT NULL AND when_s IS NOT NULL AND model IS NOT NULL AND gpu IS NOT NULL AND is_calibration IS DISTINCT FROM true
    WINDOW w AS (PARTITION BY model, gpu ORDER BY when_s, run_id)
)
SELECT strftime(make_timestamp((when_s * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS since, model, gpu,
    array_to_string(list_filter(earlier, lambda flag: NOT list_contains(own, flag)), ' ') AS removed,
    array_to_string(list_filter(own, lambda flag: NOT list_contains(earlier, flag)), ' ') AS added,
    latency_before AS latency_before_ms, latency_ms AS latency_after_ms, runs_since, run_id AS run
FROM ordered WHERE earlier IS NOT NULL AND with_these = 1 ORDER BY when_s DESC, model, gpu, run;
