-- Which layers get another tactic from build to build, although nothing else differs?
-- place 10
-- chart bar layer tactics model
-- column model | text | | file name of the model
-- column gpu | text | | GPU
-- column version | text | | TensorRT version
-- column settings | text | | flags that decide the engine or its timing
-- column layer | text | | name of the layer
-- column builds | int | | builds of the same model by the same version for the same GPU with the same flags
-- column tactics | int | | different tactics that won
-- column usual_percent | float | % | share of the builds in which the most frequent one did
-- column spread_percent | float | % | how much slower the slowest winner is than the fastest, by the tuner's medians; empty where one has no time
SELECT any_value(model) AS model, any_value(gpu) AS gpu, any_value(version) AS version, any_value(settings) AS settings,
    any_value(layer) AS layer, sum(builds) AS builds, count(*) AS tactics, 100 * max(builds) / sum(builds) AS usual_percent,
    CASE WHEN count(tuner_ms) = count(*) THEN 100 * (max(tuner_ms) / min(tuner_ms) - 1) END AS spread_percent
FROM (
    SELECT hash(model, coalesce(network, ''), gpu, tensorrt_version, coalesce(settings, ''), region, type) AS place, model, gpu, tensorrt_version AS version, settings, tactic_id, any_value(name) AS layer,
        count(*) AS builds, median(tuner_ms) AS tuner_ms
    FROM engine_layers JOIN engines USING (run_id, build)
    WHERE works AND region IS NOT NULL AND tactic_id IS NOT NULL AND is_calibration IS DISTINCT FROM true AND gpu IS NOT NULL
        AND (model IS NOT NULL OR model_sha256 IS NOT NULL) AND tensorrt_version IS NOT NULL
    GROUP BY model, network, gpu, tensorrt_version, settings, region, type, tactic_id
    QUALIFY count(DISTINCT tactic_id) OVER (PARTITION BY place) > 1
)
GROUP BY place ORDER BY spread_percent DESC NULLS LAST, tactics DESC, builds DESC, model, layer, place;
