-- Which logs could not be read, and why?
-- place 14
-- column source | text | | where the log came from
-- column reason | text | | why nothing could be read of it
-- column bytes | int | bytes | size of its files
-- column added | text | | when it was added, UTC
-- column run_id | text | | run
SELECT source, reason, bytes, added, run_id FROM runs WHERE status = 'broken' ORDER BY source, run_id;
