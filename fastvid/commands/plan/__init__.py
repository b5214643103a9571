"""Foretelling what a job will take.

command, plan     `fastvid plan`, and the plan that it makes
measure           what frames cost here: `side_costs` of rank 0, `stage_times`, `reading`
costs, forecast   what a forecast is made of, and the forecast
wavefront         a job played through: `simulated`, `encoding`, `stretches`
report, script    the plan as text, and as a submission script
"""
