"""What do the framework modules share?"""
