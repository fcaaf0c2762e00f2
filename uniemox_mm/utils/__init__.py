"""Files, jobs, processes and text: what all other rooms may use."""
