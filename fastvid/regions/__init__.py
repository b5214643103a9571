"""Painting parts of the picture: masks, and what is made of them.

spec                 what a user says of a region; `settings`: what is settled of it for a run
pictures             what a picture means as a mask: alpha, luma, label or colour
masks                files and folders of masks, by number
opening              a run's regions, opened and checked against the film
planes               masks ride with the frames, as further planes
weights              from masks to the share of each region at a pixel; `guided`: their edges follow
                     the picture
looks, compose       what is painted of a frame, and how it is put together
"""
