-- Where did the latency of a model step up or down, beside its noise?
-- place 1
-- chart bar model step_percent gpu
-- column model | text | | file name of the model
-- column gpu | text | | GPU
-- column settings | text | | flags that decide the engine or its timing
-- column before_ms | float | ms | level before the step: geometric mean of the latencies
-- column after_ms | float | ms | level behind it
-- column step_percent | float | % | how much longer an inference takes
-- column noise_percent | float | % | standard deviation of the runs on the noisier side
-- column runs_before | int | | runs from the step before, or the first one, to this one
-- column runs_after | int | | runs from here to the next step or the last one
-- column latest | bool | | whether no step follows
-- column since | text | | time stamp of the first run behind the step, in its log's own clock
-- column version_before | text | | TensorRT of the last run before the step
-- column version_after | text | | TensorRT of the first run behind it
-- column last_run | text | | last run before it
-- column first_run | text | | first run behind it
CREATE OR REPLACE TEMP TABLE latencies AS
SELECT series, run_id, when_s AS moment, latency_ms AS value FROM timed_engines() WHERE left_out IS NULL;

WITH found AS (FROM steps('latencies')),
engine AS (FROM timed_engines() WHERE left_out IS NULL)
SELECT DISTINCT ON (found.series, found.first_run) after.model, after.gpu, after.settings, before AS before_ms, found.after AS after_ms, step_percent, noise_percent, runs_before,
    runs_after, latest, strftime(make_timestamp((moment * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS since,
    earlier.tensorrt_version AS version_before, after.tensorrt_version AS version_after, last_run, first_run
FROM found
JOIN engine AS after ON after.series = found.series AND after.run_id = first_run
JOIN engine AS earlier ON earlier.series = found.series AND earlier.run_id = last_run
ORDER BY abs(step_percent) DESC, found.series, first_run;
