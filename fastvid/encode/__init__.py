"""Film out: from painted frames to the file that the user asked for.

choice, codecs    what was asked for, and the one table of what can be written
plan, output      what is written where, and its encoder; `place`: whether it may lie there
encoder           RGB frames into one part of the video; `color`, `images`
encoder_thread    rank 0's encoding beside the run; `encoded_parts`: what is closed of it,
                  `parts_label`: whose that is, `kept_parts`: where nothing else is left
shared_encoding   parts that other ranks encode: `shared_parts`
parts             encoded packets on their way
mux               the parts and the film's other streams in one file: `container`, `track`,
                  `stream`, `side_streams`, `tags`; `origin`: what becomes 0 in it
sphere_file       tags of a sphere in the finished file: `sphere_boxes` of `mp4_boxes`, or
                  `sphere_template` for Matroska
"""
