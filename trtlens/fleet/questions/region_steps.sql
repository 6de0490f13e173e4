-- Which regions of a model became slower or faster, held against one another by their ONNX nodes?
-- place 2
-- chart bar layer step_percent gpu
-- column model | | file name of the model
-- column gpu | | GPU
-- column settings | | flags that decide the engine or its timing
-- column layer | | name of the region's first layer behind the step
-- column nodes | | ONNX nodes of the region
-- column clock | | what measured the layers
-- column before_ms | ms | level before the step: geometric mean of the sums of its layers' times
-- column after_ms | ms | level behind it
-- column step_percent | % | how much longer it takes
-- column noise_percent | % | standard deviation of the runs on the noisier side
-- column runs_before | | runs from the step before, or the first one, to this one
-- column runs_after | | runs from here to the next step or the last one
-- column latest | yes or no | whether no step follows
-- column since | | time stamp of the first run behind the step, in its log's own clock
-- column version_before | | TensorRT of the last run before the step
-- column version_after | | TensorRT of the first run behind it
-- column last_run | | last run before it
-- column first_run | | first run behind it
CREATE OR REPLACE TEMP VIEW regions_timed AS
SELECT hash(model, coalesce(network, ''), gpu, coalesce(settings, ''), region, clock) AS series, run_id, when_s AS moment, value, layer, nodes, clock,
    model, gpu, settings, tensorrt_version
FROM (
    SELECT run_id, build, region, any_value(region_nodes) AS nodes, sum(time_ms) AS value, min(time_source) AS clock, arg_min(name, index) AS layer
    FROM engine_layers WHERE region IS NOT NULL AND (time_ms IS NOT NULL OR works)
    GROUP BY run_id, build, region HAVING count(time_ms) = count(*) AND count(DISTINCT time_source) = 1
) JOIN engines USING (run_id, build)
WHERE is_calibration IS DISTINCT FROM true AND (model IS NOT NULL OR model_sha256 IS NOT NULL) AND gpu IS NOT NULL AND when_s IS NOT NULL;

SELECT DISTINCT ON (found.series, found.first_run) after.model, after.gpu, after.settings, after.layer, after.nodes, after.clock, before AS before_ms, found.after AS after_ms, step_percent,
    noise_percent, runs_before, runs_after, latest, strftime(make_timestamp((found.moment * 1000000)::BIGINT), '%Y-%m-%d %H:%M:%S') AS since,
    earlier.tensorrt_version AS version_before, after.tensorrt_version AS version_after, last_run, first_run
FROM steps('regions_timed') AS found
JOIN regions_timed AS after ON after.series = found.series AND after.run_id = first_run
JOIN regions_timed AS earlier ON earlier.series = found.series AND earlier.run_id = last_run
ORDER BY abs(found.after - before) DESC, found.series, first_run;
