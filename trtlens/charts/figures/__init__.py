"""One module a chart: its function and its declaration ``CHART``. What charts share stands in `trtlens.charts.drawing`."""
