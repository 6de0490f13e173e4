-- Which regions of a model became slower or faster, held against one another by their ONNX nodes?
-- place 2
-- chart bar layer step_percent gpu
-- column model | text | | file name of the model
-- column gpu | text | | GPU
-- column settings | text | | flags that decide the engine or its timing
-- column layer | text | | name of the region's first layer behind the step
-- column nodes | int | | ONNX nodes of the region
-- column clock | text | | what measured the layers
-- column before_ms | float | ms | level before the step: geometric mean of the sums of its layers' times
-- column after_ms | float | ms | level behind it
-- column step_percent | float | % | how much longer it takes
-- column noise_percent | float | % | standard deviation of the runs on the noisier side
-- column runs_before | int | | runs from the step before, or the first one, to this one
-- column runs_after | int | | runs from here to the next step or the last one
-- column latest | bool | | whether no step follows
-- column since | text | | time stamp of the first run behind the step, in its log's own clock
-- column version_before | text | | TensorRT of the last run before the step
-- column version_after | text | | TensorRT of the first run behind it
-- column last_run | text | | last run before it
-- column first_run | text | | first run behind it
CREATE OR REPLACE TEMP TABLE numbered_engines AS
SELECT row_number() OVER (ORDER BY when_s, run_id, build) AS number, hash(model, coalesce(network, ''), gpu, coalesce(settings, '')) AS engine,
    run_id, build, when_s AS moment, model, gpu, settings, tensorrt_version
FROM engines
WHERE is_calibration IS DISTINCT FROM true AND (model IS NOT NULL OR model_sha256 IS NOT NULL) AND gpu IS NOT NULL AND when_s IS NOT NULL;

CREATE OR REPLACE TEMP TABLE regions_timed AS
SELECT hash(engine, region, clock) AS series, number AS run_id, moment, value, region, clock
FROM (
    SELECT run_id, build, region, sum(time_ms) AS value, min(time_source) AS clock
    FROM engine_layers WHERE region IS NOT NULL AND (time_ms IS NOT NULL OR works)
    GROUP BY run_id, build, region HAVING count(time_ms) = count(*) AND min(time_source) = max(time_source)
) JOIN numbered_engines USING (run_id, build);

CREATE OR REPLACE TEMP TABLE found AS
SELECT found.*, region, clock FROM steps('regions_timed') AS found
JOIN regions_timed AS timed ON timed.series = found.series AND timed.run_id = first_run;

WITH layers_of AS (
    SELECT run_id, build, region, arg_min(name, index) AS layer, any_value(region_nodes) AS nodes FROM engine_layers
    WHERE run_id IN (SELECT run_id FROM numbered_engines WHERE number IN (SELECT first_run FROM found)) GROUP BY ALL
)
SELECT later.model, later.gpu, later.settings, layer, nodes, clock, before AS before_ms, found.after AS after_ms, step_percent,
    noise_percent, runs_before, runs_after, latest, strftime(make_timestamp((later.moment * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS since,
    earlier.tensorrt_version AS version_before, later.tensorrt_version AS version_after, earlier.run_id AS last_run, later.run_id AS first_run
FROM found
JOIN numbered_engines AS later ON later.number = first_run
JOIN numbered_engines AS earlier ON earlier.number = last_run
JOIN layers_of ON layers_of.run_id = later.run_id AND layers_of.build = later.build AND layers_of.region = found.region
ORDER BY abs(found.after - before) DESC, series, found.first_run;
