"""Film in: upright RGB frames with their own times, from files that nobody vouches for.

container         opens a file: local demuxers only, one video stream, sane sizes
scan, timeline    reads its packets once: which pictures there are, and when; `truncation`,
                  `first_pictures`: what only the decoder knows of their times;
                  `clock`: one clock where recordings were joined
film, images      the two sources of frames, a file and a folder of images; `source`, `frame`
decoder           frames and each `failure` as they come; `recovery` numbers and bridges them
filters           whole upright RGB frames of one size: `orientation`, `geometry`, `colors`,
                  `tonemap`; `dolby`: what can't be read so; `sphere_tags`: whether it is a
                  sphere, or for two eyes
cuts              where shots begin
random_access     any frame by itself, on any rank: `film_index`, `entry_points`, `nal_units`
fingerprint       whether it is the same film; `watch`: whether it still is
"""
