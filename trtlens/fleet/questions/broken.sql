-- Which logs could not be read, and why?
-- place 14
-- column source | | where the log came from
-- column reason | | why nothing could be read of it
-- column bytes | bytes | size of its files
-- column added | | when it was added, UTC
-- column run_id | | run
SELECT source, reason, bytes, added, run_id FROM runs WHERE status = 'broken' ORDER BY source, run_id;
