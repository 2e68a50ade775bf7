"""Two peers of dcl_comms_rtc on a line."""
