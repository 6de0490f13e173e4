-- Where does the time of tuning go, by TensorRT version and runner?
-- place 7
-- chart bar runner profiling_s trt
-- column trt | text | | TensorRT version
-- column runner | text | | runner, as TensorRT names it
-- column runs | int | | runs in which it was tried
-- column tactics | int | | tactics that it tried
-- column timed | int | | tactics with a time
-- column profiling_s | float | s | seconds of profiling, as TensorRT states them (8.6 on)
-- column share_percent | float | % | share of that version's seconds
SELECT trt, runner, count(DISTINCT run_id) AS runs, sum(tactics) AS tactics, sum(timed) AS timed, sum(profiling_s) AS profiling_s,
    100 * sum(profiling_s) / sum(sum(profiling_s)) OVER (PARTITION BY trt) AS share_percent
FROM tried_runners GROUP BY trt, runner ORDER BY trt, profiling_s DESC NULLS LAST, tactics DESC, runner;
